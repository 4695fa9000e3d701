"""An error that nobody caught is answered and costs no connection: a stranger comes next."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from common_lib.runtime import HotRoute, create_app
from common_lib.settings import ServiceSettings
from tests.serving import free_port, served


async def crash(request: Request) -> Response:
    del request
    raise RuntimeError("a secret")


async def crash_unread(request: Request) -> Response:
    await anext(request.stream())
    raise RuntimeError("a secret")


async def crash_behind(request: Request) -> Response:
    del request

    async def late() -> None:
        raise RuntimeError("a secret")

    return Response(b"done", background=BackgroundTask(late))


async def crash_half(request: Request) -> Response:
    del request

    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("a secret")

    return StreamingResponse(pieces(), headers={"content-length": "8"})


@pytest.fixture
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Return one kept connection to a server that crashes in several ways."""
    port = free_port()
    routes = [
        HotRoute("/crash", crash, methods=["GET", "POST"]),
        HotRoute("/unread", crash_unread, methods=["POST"]),
        HotRoute("/behind", crash_behind),
        HotRoute("/half", crash_half),
    ]
    app = create_app(ServiceSettings(port=port), "test", routes=routes)
    async with served(app, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()


async def ask(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], line: str, body: bytes = b""
) -> tuple[bytes, bytes]:
    reader, writer = connection
    writer.write(b"%s HTTP/1.1\r\nhost: x\r\n" % line.encode())
    writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        return head, await reader.readexactly(length)


@pytest.mark.parametrize("line", ["GET /crash", "POST /crash", "POST /unread", "GET /behind"])
async def test_the_connection_lives_on_after_a_crash(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], line: str
) -> None:
    for _ in range(3):
        head, body = await ask(connection, line, b"x" * 300_000 if "POST" in line else b"")
        is_behind = line == "GET /behind"
        assert head.startswith(b"http/1.1 200" if is_behind else b"http/1.1 500")
        assert b"connection: close" not in head
        if not is_behind:
            assert b"application/problem+json" in head
            assert b'"code":"internal_error"' in body
            assert b"secret" not in body
        alive, _ = await ask(connection, "GET /livez")
        assert alive.startswith(b"http/1.1 200")


async def test_a_crash_in_the_middle_of_an_answer_breaks_it_off(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await ask(connection, "GET /half")

"""Files of products pass while they come, at the pace of the slower side, up to their limit."""

import asyncio
import gzip
import os
import zlib

import pytest

from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Door,
    Request,
    Script,
    Upstream,
    answer,
    open_door,
    token,
)
from tests.waiting import eventually

PATH = "/api/products/import"
LIMIT = 10 * 1024 * 1024
PROBLEM = answer(b'{"code":"role_not_allowed"}', "403 Forbidden")


def head(framing: str, *, path: str = PATH, media_type: str = "text/csv") -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: s\r\nContent-Type: {media_type}\r\n{framing}\r\n\r\n"
    return lines.encode()


CHUNKED = head("Transfer-Encoding: chunked")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def dechunked(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body to its end. Raises IncompleteReadError where it breaks off."""
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        piece = await reader.readexactly(size + 2)
        if not size:
            return body
        body += piece[:-2]


def noting_the_end(ends: list[str]) -> Script:
    """Return a script that reads a file and notes whether it came whole or broken."""

    async def script(request: Request, _: asyncio.StreamWriter) -> None:
        try:
            await dechunked(request.reader)
            ends.append("whole")
        except (asyncio.IncompleteReadError, ConnectionError):
            ends.append("broken")

    return script


async def test_a_file_of_known_length_arrives_as_it_was(door: Door, upstream: Upstream) -> None:
    file = os.urandom(3 * 1024 * 1024)

    given = await door.ask(
        PATH + "?sellerId=1",
        method="POST",
        headers="Content-Type: text/csv\r\nIdempotency-Key: k\r\n",
        body=file,
        bearer=token(),
    )

    assert given.status == 200
    (request,) = upstream.requests
    assert request.line == b"POST /api/products/import?sellerId=1 HTTP/1.1"
    assert request.body == file
    assert request.header("content-length") == str(len(file))
    assert request.header("transfer-encoding") is None
    assert request.header("idempotency-key") == "k"


async def test_a_chunked_file_arrives_as_it_was(door: Door, upstream: Upstream) -> None:
    pieces = [os.urandom(n) for n in (1, 70_000, 300_000, 5, 1_000_000)]
    arrived: list[bytes] = []

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.append(await dechunked(request.reader))
        writer.write(answer())

    upstream.script = script
    async with door.connect() as client:
        await client.send(CHUNKED)
        for piece in pieces:
            await client.send(chunk(piece))
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 200
        await client.send(b"GET /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
        upstream.forget()
        assert (await client.answer()).status == 200

    assert arrived == [b"".join(pieces)]


async def test_the_service_sees_the_beginning_before_the_end_is_sent(
    door: Door, upstream: Upstream
) -> None:
    seen = asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        assert await request.reader.readexactly(8) == b"3\r\nsku\r\n"
        seen.set()
        await dechunked(request.reader)
        writer.write(answer())

    upstream.script = script
    async with door.connect() as client:
        await client.send(CHUNKED + chunk(b"sku"))
        async with asyncio.timeout(10):
            await seen.wait()
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 200


async def test_a_file_that_says_it_is_too_large_reaches_no_service(
    door: Door, upstream: Upstream
) -> None:
    async with door.connect() as client:
        await client.send(head(f"Content-Length: {LIMIT + 1}"))
        (await client.answer()).assert_problem(413, "body_too_large")

    assert upstream.requests == []


async def test_a_file_that_grows_too_large_breaks_off_before_the_service(
    door: Door, upstream: Upstream
) -> None:
    ends: list[str] = []
    upstream.script = noting_the_end(ends)
    async with door.connect() as client:
        await client.send(CHUNKED)
        for _ in range(LIMIT // 65_536):
            await client.send(chunk(bytes(65_536)))
        await client.send(chunk(b"x"))
        given = await client.answer()
        given.assert_problem(413, "body_too_large")
        assert given.headers["connection"] == "close"

    await eventually(lambda: ends == ["broken"], what="the service to see the end")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        (PATH, "application/json"),
        (PATH, "text/plain"),
        (PATH, "multipart/form-data; boundary=x"),
        ("/api/products", "text/csv"),
        (PATH + "/x", "text/csv"),
        ("/api/orders", "text/csv"),
    ],
)
async def test_only_the_import_takes_csv_and_nothing_else(
    door: Door, upstream: Upstream, path: str, media_type: str
) -> None:
    async with door.connect() as client:
        await client.send(head("Content-Length: 3", path=path, media_type=media_type) + b"sku")
        (await client.answer()).assert_problem(415, "unsupported_media_type")

    assert upstream.requests == []


async def test_other_paths_keep_their_limit(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        length = f"Content-Length: {64 * 1024 + 1}"
        await client.send(head(length, path="/api/products", media_type="application/json"))
        (await client.answer()).assert_problem(413, "body_too_large")

    assert upstream.requests == []


async def test_a_refusal_comes_before_the_file_is_sent_to_its_end(
    door: Door, upstream: Upstream
) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.reader.readexactly(1)
        writer.write(PROBLEM)
        await request.reader.read()

    upstream.script = script
    async with door.connect() as client:
        await client.send(CHUNKED + chunk(b"first"))
        given = await client.answer()
        assert (given.status, given.json()) == (403, {"code": "role_not_allowed"})
        assert given.headers["connection"] == "close"
    await eventually(lambda: not door.connections(), what="the connection to be dropped")


async def test_a_client_that_leaves_ends_the_request_behind(door: Door, upstream: Upstream) -> None:
    ends: list[str] = []
    upstream.script = noting_the_end(ends)
    async with door.connect() as client:
        await client.send(CHUNKED + chunk(b"half"))
        await eventually(lambda: upstream.requests, what="the request to arrive")

    await eventually(lambda: ends == ["broken"], what="the service to see the end")
    await eventually(lambda: door.gateway.in_flight == 0, what="the request to be forgotten")


async def test_a_service_that_dies_over_a_file_is_reported(door: Door, upstream: Upstream) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.reader.readexactly(1)
        writer.transport.abort()

    upstream.script = script
    async with door.connect() as client:
        await client.send(CHUNKED + chunk(b"half"))
        (await client.answer()).assert_problem(503, "upstream_unavailable")

    assert len(upstream.requests) == 1


async def test_a_file_that_stops_coming_is_given_up(
    settings: GatewaySettings, upstream: Upstream
) -> None:
    async def script(request: Request, _: asyncio.StreamWriter) -> None:
        await request.reader.read()

    upstream.script = script
    impatient = settings.model_copy(update={"body_timeout_s": 0.3})
    async with open_door(impatient) as door, door.connect() as client:
        await client.send(CHUNKED + chunk(b"half"))
        (await client.answer()).assert_problem(408, "request_timeout")
        await eventually(lambda: not door.connections(), what="the request behind to end")


async def test_a_service_that_does_not_read_holds_the_client_back(
    door: Door, upstream: Upstream
) -> None:
    go_on = asyncio.Event()
    arrived: list[int] = []

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        request.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        request.reader._transport.resume_reading()  # type: ignore[attr-defined]
        arrived.append(len(await dechunked(request.reader)))
        writer.write(answer())

    upstream.script = script
    file = b"".join([*(chunk(bytes(65_536)) for _ in range(159)), b"0\r\n\r\n"])
    async with door.connect() as client:
        await client.send(CHUNKED)
        sending = asyncio.create_task(client.send(file))
        await eventually(lambda: _held(door) > 0, what="the service to fall behind")
        most = 0
        for _ in range(200):
            most = max(most, _held(door))
            await asyncio.sleep(0)
        go_on.set()
        await sending
        assert (await client.answer()).status == 200

    assert most < 512 * 1024
    assert arrived == [159 * 65_536]


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
async def test_a_large_answer_is_passed_on_while_it_comes(
    door: Door, upstream: Upstream, accepted: str
) -> None:
    go_on = asyncio.Event()
    first, second = b"handle,sku\r\n" * 200, b"a,b\r\n" * 100_000

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n" + chunk(first))
        await go_on.wait()
        writer.write(chunk(second) + b"0\r\n\r\n")

    upstream.script = script
    async with door.connect() as client:
        request = "GET /api/products/export HTTP/1.1\r\nHost: s\r\n"
        await client.send(f"{request}Accept-Encoding: {accepted}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            status, headers = await client.head()
            size = int(await client.reader.readline(), 16)
            piece = await client.reader.readexactly(size + 2)
            assert _unpacked(piece[:-2], accepted) == first
            go_on.set()
            rest = await client._body(status, headers)

    whole = piece[:-2] + rest
    assert (gzip.decompress(whole) if accepted == "gzip" else whole) == first + second


def _unpacked(data: bytes, coding: str) -> bytes:
    return zlib.decompressobj(31).decompress(data) if coding == "gzip" else data


def _held(door: Door) -> int:
    """Count the bytes the gateway has taken and not yet given on."""
    upstreams = door.gateway.upstreams.values()
    active = [c for upstream in upstreams for a in upstream.addresses for c in a.active]
    return sum(connection._transport.get_write_buffer_size() for connection in active)

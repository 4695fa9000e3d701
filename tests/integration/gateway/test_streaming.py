"""What the gateway holds of bodies and answers on their way (ADR 0026)."""

import asyncio
import os
import socket
import zlib
from contextlib import AsyncExitStack

import pytest

from gateway.settings import GatewaySettings
from shop.stack.ports import LOOPBACK
from tests.integration.gateway.harness import Client, Door, Request, Upstream, answer, open_door
from tests.waiting import eventually

PIECE = os.urandom(64 * 1024)
PIECES = 160
READERS = 3
# An answer's share: what is read at once, and as much again where it waits for the client.
MOST_HELD_EACH = 1024 * 1024
POST = b"POST /api/orders HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"


async def send_pieces(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\n")
    writer.write(b"content-length: %d\r\n\r\n" % (len(PIECE) * PIECES))
    for _n in range(PIECES):
        writer.write(PIECE)
        await writer.drain()


@pytest.mark.parametrize("framing", [b"Content-Length: 60000", b"Transfer-Encoding: chunked"])
async def test_slow_bodies_occupy_no_service(
    door: Door, upstream: Upstream, framing: bytes
) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(door.connect()) for _ in range(20)]
        for client in clients:
            await client.send(POST + framing + b"\r\n\r\n" + b"9\r\n[1,2,3,4,\r\n")
        await eventually(lambda: door.gateway.in_flight == 20, what="20 requests")
        assert (door.connections(), upstream.connections) == (0, 0)
        assert (await door.ask()).status == 200


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1])
async def test_a_chunked_body_is_taken_up_to_the_last_byte(
    door: Door, upstream: Upstream, size: int
) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    async with door.connect() as client:
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, size, 1000):
            piece = body[start : start + 1000]
            await client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await client.send(b"0\r\n\r\n")
        given = await client.answer()

    if size > door.settings.max_body_bytes:
        given.assert_problem(413, "body_too_large")
        assert upstream.requests == []
    else:
        assert given.status == 200
        assert upstream.requests[0].body == body


async def test_a_body_that_comes_too_slowly_is_given_up(
    settings: GatewaySettings, upstream: Upstream
) -> None:
    """However steadily it comes: the time is that of the whole body."""
    impatient = settings.model_copy(update={"body_timeout_s": 0.5})
    async with open_door(impatient) as door, door.connect() as client:
        await client.send(POST + b"Content-Length: 60000\r\n\r\n")

        async def dribble() -> None:
            while True:
                await client.send(b"1")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        (await client.answer()).assert_problem(408, "request_timeout")
        dribbling.cancel()

    assert upstream.requests == []


@pytest.mark.parametrize("accepted", [b"identity", b"gzip"])
async def test_clients_that_read_slowly_are_waited_for(
    door: Door, upstream: Upstream, accepted: bytes
) -> None:
    """10 MB to each of three clients that stop reading: the gateway holds little, loses nothing."""
    upstream.script = send_pieces
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(slow_client(door)) for _ in range(READERS)]
        for reader in readers:
            await reader.send(b"GET /api/products/export HTTP/1.1\r\nHost: s\r\n")
            await reader.send(b"Accept-Encoding: %s\r\n\r\n" % accepted)
        heads = [await reader.head() for reader in readers]
        most = 0
        for _ in range(500):
            most = max(most, door.held_bytes())
            await asyncio.sleep(0)
        bodies = [await reader._body(*head) for reader, head in zip(readers, heads, strict=True)]

    assert len(PIECE) < most < READERS * MOST_HELD_EACH
    for body in bodies:
        assert (zlib.decompress(body, 31) if accepted == b"gzip" else body) == PIECE * PIECES
    await eventually(lambda: door.gateway.in_flight == 0, what="the exchanges to end")


def slow_client(door: Door) -> "SlowClient":
    return SlowClient(door.port)


class SlowClient:
    """A client whose system takes little for it: what it does not read stays with the gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket()

    async def __aenter__(self) -> Client:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        self._socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self._socket, (LOOPBACK, self._port))
        reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=16 * 1024)
        return Client(reader, self._writer)

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_head_has_the_length_of_get_and_no_body(door: Door, upstream: Upstream) -> None:
    """Whichever way the service frames it; the connection is good for the next request."""
    whole = answer(b'{"items":"' + b"word " * 2000 + b'"}')
    heads = {
        b"length": whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        b"chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"neither": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n",
    }

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        kind = request.line.split()[1].rpartition(b"/")[2]
        writer.write(heads[kind] if request.line.startswith(b"HEAD") else whole)

    upstream.script = script
    async with door.connect() as client:
        for kind in heads:
            lines = b"/api/products/%s HTTP/1.1\r\nHost: s\r\nAccept-Encoding: gzip\r\n\r\n" % kind
            await client.send(b"HEAD " + lines)
            head = await client.answer(is_head=True)
            assert (head.status, head.body) == (200, b"")
            assert ("content-length" in head.headers) == (kind == b"length")
            await client.send(b"GET " + lines)
            assert (await client.answer()).headers["content-encoding"] == "gzip"

    assert upstream.connections == 1

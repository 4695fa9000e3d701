"""Bodies of requests: small ones whole, files piece by piece.

A body that breaks off or is framed badly reaches no service when it is read whole first, a slow
client keeps no connection to one, and a stale connection can be replaced. A file is too large for
that: it goes through as it comes, and the pace of the slower side is the pace of both.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive

from common_lib.errors import Unavailable
from common_lib.problems import BodyTooLarge, RequestTimedOut
from gateway.connection import ClientGone, ClientLink, Connection
from gateway.pool import Upstream

# A file that comes slower than this does not arrive in time (the services keep the same rule).
_BYTES_PER_S: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileLimits:
    """`body_timeout_s` is the client's and grows with what came, `upstream_timeout_s` the hop's."""

    max_bytes: int
    body_timeout_s: float
    upstream_timeout_s: float


async def read_whole(receive: Receive, max_bytes: int, timeout_s: float) -> bytes:
    """Read a whole body. Raises BodyTooLarge, RequestTimedOut or ClientGone."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(receive, max_bytes)
    except TimeoutError:
        raise RequestTimedOut from None


async def _collect(receive: Receive, max_bytes: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message["body"]
        body += piece
        if len(body) > max_bytes:
            raise BodyTooLarge
        if not message["more_body"]:
            return body


async def send_file(
    upstream: Upstream,
    head: tuple[bytes, bytes],
    receive: Receive,
    limits: FileLimits,
    *,
    is_chunked: bool,
    client: ClientLink,
) -> tuple[Connection, bool]:
    """Send a request whose body is still coming, and wait for the head of its answer.

    Returns the connection, to be released by the caller, and whether the whole body was sent: a
    service may refuse before its end. The `host` header goes between the two parts of `head`.
    Nothing is tried twice. Raises what `read_whole` and `Upstream.exchange` raise; the service
    then sees its request break off.
    """
    connection = await upstream.connect(client)
    first_line, rest = head
    data = first_line + connection.address.host_line + rest
    connection.send(data, is_head_request=False, deadline=float("inf"))
    sending = _Sending(connection, receive, limits, is_chunked=is_chunked)
    under_way = asyncio.create_task(sending.run())
    try:
        await connection.head()
    except BaseException as error:
        connection.fail(ClientGone())
        if isinstance(error, Unavailable):
            upstream.breaker.failed()
        raise
    finally:
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)
    upstream.breaker.succeeded()
    connection.may_rest = sending.is_whole
    return connection, sending.is_whole


class _Sending:
    """One file on its way, beside the waiting for its answer."""

    def __init__(
        self, connection: Connection, receive: Receive, limits: FileLimits, *, is_chunked: bool
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._limits = limits
        self._is_chunked = is_chunked
        self._size = 0
        self.is_whole = False
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + limits.body_timeout_s

    async def run(self) -> None:
        """Send all of it; what goes wrong ends the connection, and is raised to who waits there."""
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - raised to who waits for the answer
            self._connection.fail(error)

    async def _run(self) -> None:
        more_body = True
        while more_body:
            piece, more_body = await self._next_piece()
            if piece:
                await self._send(
                    b"%x\r\n%s\r\n" % (len(piece), piece) if self._is_chunked else piece
                )
        if self._is_chunked:
            await self._send(b"0\r\n\r\n")
        self.is_whole = True
        self._connection.deadline = self._loop.time() + self._limits.upstream_timeout_s

    async def _next_piece(self) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout_at(self._latest + self._size / _BYTES_PER_S):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimedOut from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message["body"]
        self._size += len(piece)
        if self._size > self._limits.max_bytes:
            raise BodyTooLarge
        return piece, message["more_body"]

    async def _send(self, data: bytes) -> None:
        """Write on; the time the service takes to read it is not the client's."""
        started = self._loop.time()
        self._connection.deadline = started + self._limits.upstream_timeout_s
        await self._connection.write(data)
        self._connection.deadline = float("inf")
        self._latest += self._loop.time() - started

"""Connections to upstreams: keep-alive, several addresses, a breaker, time limits, backpressure.

Our own instead of an HTTP client library: measured, a hop through it costs about half of one
through pyreqwest (ADR on the gateway's hop). It speaks HTTP/1.1 to servers we run, no others.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from common_lib.errors import Unavailable
from common_lib.http_client import CallTimedOut, CircuitBreaker
from common_lib.runtime.sockets import has_news

Header = tuple[bytes, bytes]

# What concerns one connection only (RFC 9110, 7.6.1), and what the gateway writes itself.
_DROPPED_FROM_ANSWERS: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"server",
        b"date",
        b"x-request-id",
    }
)
_HIGH_WATER_BYTES: Final = 256 * 1024
# A connection that rested longer may be closing under our feet: no POST goes over it. A service
# that is about to stop keeps connections at rest open for longer than this (`shutdown_idle_s`).
_SAFE_REST_S: Final = 1.0
_LEAVING_S: Final = 0.5
_INFINITE: Final = float("inf")
_OK: Final = 200


class UpstreamUnavailable(Unavailable):
    """No answer came, or not a whole one; whether the work was done is not known."""

    code = "upstream_unavailable"
    title = "The service behind this path does not answer"


class ConnectionFailed(UpstreamUnavailable):
    """Nothing was sent: any other address may be tried."""


class ConnectionBroke(UpstreamUnavailable):
    """The connection ended before the first byte of the answer."""


class ClientGone(Exception):
    """The client went away while its request was under way."""


class ClientLink:
    """What ties a client's connection to the upstream connection that works for it."""

    __slots__ = ("is_gone", "on_abort", "upstream")

    def __init__(self) -> None:
        self.is_gone = False
        # Breaks the client's connection off; set by the protocol that owns it.
        self.on_abort: Callable[[], None] | None = None
        self.upstream: Connection | None = None

    def attach(self, connection: "Connection") -> None:
        """Let the client's departure end the exchange. Raises ClientGone if it has left."""
        if self.is_gone:
            raise ClientGone
        self.upstream = connection

    def detach(self) -> None:
        self.upstream = None

    def leave(self) -> None:
        """Note that the client is gone: nobody waits for the answer any more."""
        self.is_gone = True
        if self.upstream is not None:
            self.upstream.fail(ClientGone())


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time.

    `send` begins an exchange, `head` waits for status and headers, `chunk` for the next piece of
    the body (empty at its end), `release` gives the connection back or closes it.
    """

    __slots__ = (
        "_bytes_held",
        "_chunks",
        "_drained",
        "_error",
        "_in_headers",
        "_is_head_request",
        "_is_paused",
        "_is_until_close",
        "_parser",
        "_transport",
        "_waiter",
        "address",
        "deadline",
        "has_answered",
        "headers",
        "is_complete",
        "is_idle",
        "is_reused",
        "may_rest",
        "rested_since",
        "status",
    )

    def __init__(self, address: "Address") -> None:
        self.address = address
        self.deadline = float("inf")
        self.is_idle = False
        self.is_reused = False
        self.rested_since = 0.0
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._drained: asyncio.Future[None] | None = None
        # Cleared where a request was not sent to its end: no other may follow it.
        self.may_rest = True
        self._begin(is_head_request=False)

    def _begin(self, *, is_head_request: bool) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.has_answered = False
        self.is_complete = False
        self._is_head_request = is_head_request
        self._in_headers = True
        self._is_until_close = True
        self._chunks: list[bytes] = []
        self._bytes_held = 0
        self._error: Exception | None = None

    # The exchange, as the proxy sees it.

    def send(self, data: bytes, *, is_head_request: bool, deadline: float) -> None:
        """Write a whole request. `deadline` is in the event loop's time."""
        self._begin(is_head_request=is_head_request)
        self.deadline = deadline
        self._transport.write(data)

    async def write(self, data: bytes) -> None:
        """Write a piece of the body at the service's pace. Raises what ended the connection."""
        if self._error is not None:
            raise self._error
        self._transport.write(data)
        if self._drained is not None:
            await self._drained

    async def head(self) -> None:
        """Wait until `status` and `headers` are there. Raises what ended the connection."""
        while not self.has_answered:
            await self._wait()

    async def chunk(self) -> bytes:
        """Return the next piece of the body, empty at its end."""
        while not self._chunks and not self.is_complete:
            await self._wait()
        chunks = self._chunks
        if not chunks:
            return b""
        self._chunks = []
        self._bytes_held = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def has_news(self) -> bool:
        """Say whether there is something to read that nobody asked for, such as the end."""
        return has_news(self._transport)

    def has_more(self) -> bool:
        """Say whether `chunk` may still return something."""
        return bool(self._chunks) or not self.is_complete

    def release(self) -> None:
        """Keep the connection for the next request if its answer ended cleanly."""
        self.deadline = float("inf")
        self._waiter = None
        is_sound = self.is_complete and self._error is None and self.may_rest
        if is_sound and not self._transport.is_closing():
            self.address.rest(self)
        else:
            self.close()

    def fail(self, error: Exception) -> None:
        """End the exchange with `error` and drop the connection."""
        if self._error is None:
            self._error = error
        self._transport.abort()
        self._wake()

    def close(self) -> None:
        self.address.forget(self)
        self._transport.close()

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self.address.loop.create_future()
        await self._waiter
        if self._error is not None and not self.has_answered:
            raise self._error

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            # Nobody asked: an answer to nothing must not become the answer to the next request.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail(UpstreamUnavailable("the answer cannot be read", retry_after_s=1))
            return
        if self._is_head_request and self.is_complete:
            # The parser would wait for the body that the headers announce.
            self._parser = httptools.HttpResponseParser(self)
        if self.has_answered:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.address.forget(self)
        if self._drained is not None:
            self.resume_writing()
        if self.is_idle or self.is_complete:
            return
        if self.has_answered and self._is_until_close:
            self.is_complete = True
        elif self._error is None:
            kind = UpstreamUnavailable if self.status else ConnectionBroke
            self._error = kind("the connection was closed", retry_after_s=1)
        self._wake()

    def pause_writing(self) -> None:
        self._drained = self.address.loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:
            return  # a trailer
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._is_until_close = False
        if name not in _DROPPED_FROM_ANSWERS:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < _OK:
            return
        self._in_headers = False
        self.has_answered = True
        if self._is_head_request:
            self.is_complete = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._bytes_held += len(body)
        if self._bytes_held > _HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status < _OK:
            self.status = 0
            self.headers = []
            return
        self.is_complete = True
        if not self._parser.should_keep_alive():
            self.address.leave_out()
            self._transport.close()


class Address:
    """One address of an upstream with its idle connections, youngest last."""

    def __init__(self, base_url: str, *, connect_timeout_s: float, idle_s: float) -> None:
        parts = urlsplit(base_url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 80
        self.base_url = base_url
        self.host_line = b"host: %s\r\n" % parts.netloc.encode()
        self.loop = asyncio.get_running_loop()
        self.down_until = 0.0
        self.active: set[Connection] = set()
        self._idle: list[Connection] = []
        self._failures = 0
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s

    async def acquire(self, *, longest_rest_s: float) -> Connection:
        """Return a rested connection, else a new one. Raises ConnectionFailed.

        One that must not break (`longest_rest_s` has an end) is looked at for an end unread so far.
        """
        oldest = self.loop.time() - min(longest_rest_s, self._idle_s)
        is_repeatable = longest_rest_s == _INFINITE
        while self._idle:
            connection = self._idle.pop()
            is_young = connection.rested_since >= oldest
            if is_young and (is_repeatable or not connection.has_news()):
                connection.is_idle = False
                connection.is_reused = True
                self.active.add(connection)
                return connection
            connection.close()
        return await self.connect()

    async def connect(self) -> Connection:
        """Return a new connection. Raises ConnectionFailed."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), self.host, self.port
                )
        except (OSError, TimeoutError) as error:
            self.mark_down()
            raise ConnectionFailed("the service cannot be reached", retry_after_s=1) from error
        if self._failures:
            self._failures = 0
            self.down_until = 0.0
        self.active.add(connection)
        return connection

    def mark_down(self) -> None:
        """Leave this address out for a while, longer each time in a row."""
        self._failures += 1
        self.down_until = self.loop.time() + min(0.25 * 2**self._failures, 10.0)

    def leave_out(self) -> None:
        """Prefer others for a moment: a service that ends its connections is about to stop.

        It waits for the end of those at rest, too.
        """
        self.down_until = max(self.down_until, self.loop.time() + _LEAVING_S)
        for connection in tuple(self._idle):
            connection.close()

    def rest(self, connection: Connection) -> None:
        connection.is_idle = True
        connection.rested_since = self.loop.time()
        self.active.discard(connection)
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        self.active.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def sweep(self) -> None:
        """End what takes too long and what rested too long."""
        now = self.loop.time()
        for connection in [c for c in self.active if c.deadline < now]:
            connection.fail(CallTimedOut("the service did not answer in time", retry_after_s=1))
        for connection in [c for c in self._idle if c.rested_since < now - self._idle_s]:
            connection.close()

    def close(self) -> None:
        for connection in [*self._idle, *self.active]:
            connection.close()


class Upstream:
    """One service: its addresses and its circuit breaker."""

    def __init__(
        self,
        name: str,
        base_urls: Sequence[str],
        *,
        connect_timeout_s: float = 1.0,
        idle_s: float = 30.0,
    ) -> None:
        self.name = name
        self.addresses = tuple(
            Address(url, connect_timeout_s=connect_timeout_s, idle_s=idle_s) for url in base_urls
        )
        self.breaker = CircuitBreaker(name)
        self._turn = 0

    async def exchange(
        self,
        first_line: bytes,
        rest: bytes,
        *,
        deadline: float,
        is_idempotent: bool,
        is_head_request: bool = False,
        client: ClientLink,
    ) -> Connection:
        """Send a request and wait for the head of its answer; the caller must `release`.

        The `host` header goes between `first_line` and `rest`. What was certainly not begun (no
        connection) is tried at each address, what may safely be begun twice (`is_idempotent`) a
        second time. Raises UpstreamUnavailable, CallTimedOut, CircuitOpen, or ClientGone when the
        client left.
        """
        self.breaker.admit()
        longest_rest_s = _INFINITE if is_idempotent else _SAFE_REST_S
        refused: list[Address] = []
        is_second_try = False
        while True:
            address = self._next_address(refused)
            connection = None
            try:
                connection = await address.acquire(longest_rest_s=longest_rest_s)
                client.attach(connection)
                data = first_line + address.host_line + rest
                connection.send(data, is_head_request=is_head_request, deadline=deadline)
                await connection.head()
            except ConnectionFailed:
                refused.append(address)
                if len(refused) >= len(self.addresses):
                    self.breaker.failed()
                    raise
            except ConnectionBroke:
                if is_second_try or not is_idempotent:
                    self.breaker.failed()
                    raise
                is_second_try = True
                longest_rest_s = -1.0
            except BaseException as error:
                if connection is not None:
                    connection.close()
                if isinstance(error, Unavailable):
                    self.breaker.failed()
                raise
            else:
                self.breaker.succeeded()
                return connection

    async def connect(self, client: ClientLink) -> Connection:
        """Return a new connection for a request that cannot be sent twice.

        Each address is tried. Raises ConnectionFailed, CircuitOpen or ClientGone.
        """
        self.breaker.admit()
        connection = await self._connect_anywhere()
        try:
            client.attach(connection)
        except ClientGone:
            connection.close()
            raise
        return connection

    async def _connect_anywhere(self) -> Connection:
        refused: list[Address] = []
        while True:
            address = self._next_address(refused)
            try:
                return await address.connect()
            except ConnectionFailed:
                refused.append(address)
                if len(refused) >= len(self.addresses):
                    self.breaker.failed()
                    raise

    async def fetch(self, path: str, *, timeout_s: float) -> tuple[int, bytes]:
        """GET a small document for the gateway itself: (status, body)."""
        connection = await self.exchange(
            b"GET %s HTTP/1.1\r\n" % path.encode(),
            b"accept: application/json\r\n\r\n",
            deadline=asyncio.get_running_loop().time() + timeout_s,
            is_idempotent=True,
            client=ClientLink(),
        )
        try:
            body = bytearray()
            while piece := await connection.chunk():
                body += piece
            return connection.status, bytes(body)
        finally:
            connection.release()

    def _next_address(self, refused: Sequence[Address]) -> Address:
        """Return the next address in turn: a healthy one, else one that has not refused yet."""
        count = len(self.addresses)
        if count == 1:
            return self.addresses[0]
        now = self.addresses[0].loop.time()
        for step in range(count):
            address = self.addresses[(self._turn + step) % count]
            if address.down_until <= now and address not in refused:
                self._turn += step + 1
                return address
        self._turn += 1
        untried = [address for address in self.addresses if address not in refused]
        return (untried or self.addresses)[self._turn % len(untried or self.addresses)]

    def sweep(self) -> None:
        for address in self.addresses:
            address.sweep()

    def close(self) -> None:
        for address in self.addresses:
            address.close()

"""A connection to an upstream: one HTTP/1.1 exchange at a time, with backpressure.

Our own instead of an HTTP client library: measured, a hop through it costs about half of one
through pyreqwest (ADR on the gateway's hop). It speaks HTTP/1.1 to servers we run, no others.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools

from common_lib.errors import Unavailable
from common_lib.http_client import CallTimedOut
from common_lib.sockets import has_news, unacknowledged_bytes

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
# A body whose length has so few digits is waited for as a whole: 99,999 bytes.
_SMALL_DIGITS: Final = 5
_OK: Final = 200


class UpstreamUnavailable(Unavailable):
    """No answer came, or not a whole one; whether the work was done is not known."""

    code = "upstream_unavailable"
    title = "The service behind this path does not answer"


class ConnectionFailed(UpstreamUnavailable):
    """Nothing was sent: any other address may be tried."""


class RequestUnread(ConnectionFailed):
    """The service had ended the connection before any of the request reached it."""


class ConnectionBroke(UpstreamUnavailable):
    """The connection ended before the answer's head: the work may have been done or not."""


def is_outcome_unknown(error: Exception) -> bool:
    """Say whether a service may have done the work that it gave no answer to."""
    is_unanswered = isinstance(error, (UpstreamUnavailable, CallTimedOut))
    return is_unanswered and not isinstance(error, ConnectionFailed)


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


class Owner(Protocol):
    """Who keeps connections: an address' pool."""

    loop: asyncio.AbstractEventLoop
    host_line: bytes

    def rest(self, connection: "Connection") -> None:
        """Keep a connection whose exchange is over."""

    def forget(self, connection: "Connection") -> None:
        """Let go of a connection that ends."""

    def leave_out(self) -> None:
        """Note that the service ends its connections."""


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
        "_is_last",
        "_is_paused",
        "_is_until_close",
        "_parser",
        "_sent_bytes",
        "_transport",
        "_waiter",
        "address",
        "deadline",
        "has_answered",
        "headers",
        "is_complete",
        "is_idle",
        "is_small",
        "may_rest",
        "rested_since",
        "status",
    )

    def __init__(self, address: Owner) -> None:
        self.address = address
        self.deadline = float("inf")
        self.is_idle = False
        self.rested_since = 0.0
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._drained: asyncio.Future[None] | None = None
        # Cleared where a request was not sent to its end, or more came than its answer: no other
        # request may follow.
        self.may_rest = True
        self._sent_bytes = 0
        self._begin(is_head_request=False)

    def _begin(self, *, is_head_request: bool) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.has_answered = False
        self.is_complete = False
        self.is_small = False
        self._is_head_request = is_head_request
        self._in_headers = True
        self._is_last = False
        self._is_until_close = True
        self._chunks: list[bytes] = []
        self._bytes_held = 0
        self._error: Exception | None = None

    # The exchange, as the proxy sees it.

    def send(self, data: bytes, *, is_head_request: bool, deadline: float) -> None:
        """Write a whole request. `deadline` is in the event loop's time."""
        self._begin(is_head_request=is_head_request)
        self.deadline = deadline
        self._sent_bytes = len(data)
        self._transport.write(data)

    async def write(self, data: bytes) -> None:
        """Write a piece of the body at the service's pace. Raises what ended the connection."""
        if self._error is not None:
            raise self._error
        self._sent_bytes += len(data)
        self._transport.write(data)
        if self._drained is not None:
            await self._drained

    async def head(self) -> None:
        """Wait until `status` and `headers` are there. Raises what ended the connection."""
        while not self.has_answered:
            await self._wait()

    async def first_piece(self) -> bytes:
        """Return all of a small body, so that one that breaks off can be told of; else a piece."""
        return await (self.whole_body() if self.is_small else self.chunk())

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

    @property
    def has_rested(self) -> bool:
        """Say whether it is not new: another exchange went before."""
        return self.rested_since > 0

    def has_news(self) -> bool:
        """Say whether there is something to read that nobody asked for, such as the end."""
        return has_news(self._transport)

    async def whole_body(self) -> bytes:
        """Return the rest of a body that is known to be small."""
        body = b""
        while piece := await self.chunk():
            body += piece
        return body

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
        if self.is_complete:
            self.may_rest = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.is_complete:
                self.may_rest = False  # what follows a whole answer is nobody's
            else:
                self.fail(UpstreamUnavailable("the answer cannot be read", retry_after_s=1))
                return
        if self._is_head_request and self.is_complete:
            # The parser would wait for the body that the headers announce.
            self._parser = httptools.HttpResponseParser(self)
        if self.has_answered:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.address.forget(self)
        if self._drained is not None:
            self.resume_writing()
        if self.is_idle or self.is_complete:
            return
        if self.has_answered and self._is_until_close and exc is None:
            self.is_complete = True
        elif self._error is None:
            kind = UpstreamUnavailable if self.status else ConnectionBroke
            self._error = kind("the connection was closed", retry_after_s=1)
        self._wake()

    def eof_received(self) -> None:
        if self.is_idle:
            # Now, not in the loop's next turn: a request could take the connection in between.
            self.close()
        elif self._is_unread() and self._error is None:
            self._error = RequestUnread("the service cannot be reached", retry_after_s=1)

    def _is_unread(self) -> bool:
        """Say whether the other side, which has just ended, cannot have read the request.

        What ends a connection also acknowledges all that came before it (RFC 9293, 3.10.7.4): what
        is not acknowledged by then arrives at a closed door, and is answered by a reset.
        """
        if self.has_answered or self.status or not self._sent_bytes:
            return False
        return unacknowledged_bytes(self._transport) >= self._sent_bytes

    def pause_writing(self) -> None:
        self._drained = self.address.loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.may_rest = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:
            return  # a trailer
        name = name.lower()
        if name == b"content-length":
            self._is_until_close = False
            self.is_small = len(value) <= _SMALL_DIGITS
        elif name == b"transfer-encoding":
            self._is_until_close = False
        elif name == b"connection" and b"close" in value.lower():
            self._is_last = True
        if name not in _DROPPED_FROM_ANSWERS:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < _OK:
            return
        self._in_headers = False
        self.has_answered = True
        if self._is_head_request:
            self.is_complete = True
            self._end_if_last()

    def on_body(self, body: bytes) -> None:
        if self.is_complete:
            return
        self._chunks.append(body)
        self._bytes_held += len(body)
        if self._bytes_held > _HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.is_complete:
            return
        if self.status < _OK:
            self.status = 0
            self.headers = []
            self._is_until_close = True
            return
        self.is_complete = True
        self._is_last = self._is_last or not self._parser.should_keep_alive()
        self._end_if_last()

    def _end_if_last(self) -> None:
        if self._is_last:
            self.address.leave_out()
            self._transport.close()

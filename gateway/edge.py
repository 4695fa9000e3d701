"""uvicorn's HTTP protocol with what an edge needs besides.

Measured with uvicorn 0.54 and httptools 0.9: CL+TE, two lengths, bad chunks, bare LF and folded
lines are refused by the parser. Missing there, and added here: a limit on the size of headers and
on the time they take, a problem document instead of plain text, answers in order when a later
request is broken, versions other than 1.0 and 1.1 and `Transfer-Encoding` on 1.0 refused, trailers
kept out of the headers, no second request after an upgrade, one Host, and a word to the upstream
when the client leaves.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import orjson
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from common_lib.problems import PROBLEM_JSON, problem
from gateway.headers import new_request_id
from gateway.pool import ClientLink

EXTENSION: Final = "shop.client"
_VERSIONS: Final = ("1.1", "1.0")
_LINGER_S: Final = 2.0
_REASONS: Final = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    max_header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    problem_base_url: str = "/problems"


class EdgeProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, *args: Any, limits: EdgeLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self.link = ClientLink()
        self._running: RequestResponseCycle | None = None
        self._extensions = {EXTENSION: self.link}
        self._is_refused = False
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_head_overdrawn = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.link.on_abort = transport.abort
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)
        self.link.leave()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        size = len(data)
        if self._in_head:
            self._head_bytes += size
            self._is_head_overdrawn = self._head_bytes > self.limits.max_header_bytes
        super().data_received(data)
        if self._in_head and self.parser is not None and not self._is_refused:
            self._await_rest_of_head()

    def _await_rest_of_head(self) -> None:
        """Between requests, or in the middle of a head: bound its size and its time."""
        if self._head_bytes == 0:
            self._stop_head_timer()
        elif self._head_bytes > self.limits.max_header_bytes:
            self._refuse(431, "headers_too_large", "The headers are larger than taken here")
        elif self._head_timer is None:
            self._start_head_timer()

    # httptools callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        if self._is_refused:
            return
        self._in_head = False
        if self._head_timer is not None:
            self._stop_head_timer()
        if self._is_head_overdrawn and self._head_size() > self.limits.max_header_bytes:
            self._refuse(431, "headers_too_large", "The headers are larger than taken here")
            return
        if not self._is_plain():
            self._refuse(400, "malformed_request", "The request cannot be read")
            return
        super().on_headers_complete()
        # The scope keeps its list; trailers go to one that nobody reads.
        self.headers = []
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_refused:
            return
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0
        self._is_head_overdrawn = False

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _is_plain(self) -> bool:
        """One Host (RFC 9112, 3.2), a version we speak, no transfer coding before 1.1."""
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        hosts = names.count(b"host")
        if version == "1.1":
            return hosts == 1
        return version in _VERSIONS and hosts <= 1 and b"transfer-encoding" not in names

    # Refusing

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser gave up on."""
        del msg
        self._refuse(400, "malformed_request", "The request cannot be read")

    def _refuse(self, status: int, code: str, title: str) -> None:
        """Answer outside of the app, where it can be done in order, and end the connection."""
        self._is_refused = True
        self._stop_head_timer()
        self.pipeline.clear()
        running = self._running
        if running is None or running.response_complete:
            self._answer_and_linger(status, code, title)
        elif running is not self.cycle or not running.more_body:
            # An earlier request is being answered; what came after it is not read.
            running.keep_alive = False
        elif running.response_started:
            self.transport.close()
        else:
            # The broken request is the one in hand: for the app its client has left.
            running.disconnected = True
            running.message_event.set()
            self.link.leave()
            self._answer_and_linger(status, code, title)

    def _answer_and_linger(self, status: int, code: str, title: str) -> None:
        members = problem(status, code, title, title, base_url=self.limits.problem_base_url)
        members["requestId"] = new_request_id().decode()
        body = orjson.dumps(members)
        head = (
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nx-request-id: %s\r\n"
            b"x-content-type-options: nosniff\r\ncache-control: no-store\r\n"
            b"connection: close\r\n\r\n"
        )
        self.transport.write(
            head
            % (
                status,
                _REASONS[status],
                PROBLEM_JSON.encode(),
                len(body),
                members["requestId"].encode(),
            )
            + body
        )
        # Closing with unread bytes resets the connection and may take the answer with it.
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    # The time a head may take

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout_s, self._on_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_slow_head(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

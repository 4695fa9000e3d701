"""uvicorn's HTTP protocol with what an edge needs besides.

Measured with uvicorn 0.54 and httptools 0.9: CL+TE, two lengths, bad chunks, bare LF and folded
lines are refused by the parser. Missing there, and added here: a limit on the size of headers and
on the time they take, a problem document instead of plain text, answers in order when a later
request is broken, versions other than 1.0 and 1.1 and `Transfer-Encoding` on 1.0 refused, trailers
kept out of the headers, no second request after an upgrade, one Host, and a word to the upstream
when the client leaves.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import httptools
import orjson
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from common_lib.problems import PROBLEM_JSON, problem
from common_lib.runtime.draining import DrainingProtocol
from gateway.connection import ClientLink
from gateway.headers import new_request_id

EXTENSION: Final = "shop.client"
_VERSIONS: Final = ("1.1", "1.0")
_LINGER_S: Final = 2.0
_WITHOUT_BODY: Final = (204, 304)
_REASONS: Final = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    max_header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    problem_base_url: str = "/problems"


class EdgeCycle(RequestResponseCycle):
    """One answer, its head written together with the first piece of its body."""

    _held: bytes = b""

    async def send(self, message: ASGISendEvent) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._held = self._head(message["status"], [*self.default_headers, *message["headers"]])
        elif message["type"] == "http.response.body" and not self.response_complete:
            self._send_body(message["body"], is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} is out of order")

    def _head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            lowered = name.lower()
            if lowered == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif lowered == b"connection":
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            lines.append(b"%s: %s\r\n" % (lowered, value))
        if self.chunked_encoding is None:
            self._choose_framing(status, lines)
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise RuntimeError("a header holds a line break")
        return head

    def _choose_framing(self, status: int, lines: list[bytes]) -> None:
        """Without a length: chunks, or for HTTP/1.0, which knows none, closing at the end."""
        self.chunked_encoding = False
        if self.scope["method"] == "HEAD" or status in _WITHOUT_BODY:
            return
        self.expected_content_length = -1
        if self.scope["http_version"] == "1.0":
            self.keep_alive = False
        else:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        held, self._held = self._held, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            data = held
        elif self.chunked_encoding:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            data = held + chunk + (b"0\r\n\r\n" if is_last else b"")
        else:
            self._account_for(len(body))
            data = held + body
        if data:
            self.transport.write(data)
        if is_last:
            self._complete()

    def _account_for(self, size: int) -> None:
        if self.expected_content_length >= 0:
            self.expected_content_length -= size
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its Content-Length")

    def _complete(self) -> None:
        if self.expected_content_length > 0:
            raise RuntimeError("the answer is shorter than its Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class EdgeProtocol(DrainingProtocol):
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
        elif not self._is_plain():
            self._refuse(400, "malformed_request", "The request cannot be read")
        else:
            self._begin_cycle()

    def _begin_cycle(self) -> None:
        """Start the app on this request, or queue it behind the one being answered."""
        self._complete_scope()
        existing = self.cycle
        self.cycle = EdgeCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self._may_keep_alive(),
            on_response=self.on_response_complete,
        )
        # The scope keeps its list; trailers go to one that nobody reads.
        self.headers = []
        if existing is None or existing.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _complete_scope(self) -> None:
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path or b""
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""

    def _may_keep_alive(self) -> bool:
        if self.server_state.is_draining or self.scope["http_version"] != "1.1":
            return False
        return self.parser.should_keep_alive() and not self.parser.should_upgrade()

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

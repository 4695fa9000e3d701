"""Requests that come when they come, whether or not the earlier ones were answered.

A client that waits for its answer before it asks again offers less the slower it is answered, and
so never shows what an overload does. Here every request has a moment at which it is meant to go;
its latency counts from then, so that what could not be sent in time is not left out of the account
("coordinated omission").
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from tests.bench.stats import percentile

BROKEN: Final = 0


@dataclass
class Seen:
    """Status, moment of the answer and latency of every request, in seconds from the start."""

    offered: int = 0
    answers: list[tuple[int, float, float]] = field(default_factory=list)
    # Refusals that name no moment to come back.
    bare_refusals: int = 0

    def count(self, status: int, *, until_s: float = float("inf")) -> int:
        return sum(1 for s, at_s, _ in self.answers if s == status and at_s <= until_s)

    def statuses(self) -> dict[int, int]:
        return dict(sorted(Counter(status for status, _, _ in self.answers).items()))

    def latency_ms(self, status: int, share: float) -> float:
        """Return a percentile of the latency of one status; 0 where nothing had it."""
        found = [latency_s for s, _, latency_s in self.answers if s == status]
        return percentile(found, share) * 1000 if found else 0.0


class Line(asyncio.Protocol):
    """One kept connection with one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[int] | None = None
        self.has_retry_after = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> int:
        """Send a request; return the status of its answer, BROKEN where none came."""
        self.has_retry_after = False
        self._answered = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            return BROKEN
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._settle(BROKEN)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        del value
        if name.lower() == b"retry-after":
            self.has_retry_after = True

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.close()
        self._settle(self._parser.get_status_code())

    def _settle(self, status: int) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(status)


class OpenLoop:
    """Offers `make_request(n)` to one address at a steady rate, over as many lines as it takes."""

    def __init__(self, url: str, make_request: Callable[[int], bytes], per_second: float) -> None:
        self._url = url
        self._make_request = make_request
        self._per_second = per_second
        self._idle: list[Line] = []
        self._asking: set[asyncio.Task[None]] = set()
        self.seen = Seen()

    async def run(self, seconds: float) -> Seen:
        """Offer for so long, then wait for the answers that are still to come."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (due_s := self.seen.offered / self._per_second) < seconds:
            late_s = loop.time() - started - due_s
            if late_s < 0:
                await asyncio.sleep(-late_s)
            task = loop.create_task(self._ask(self.seen.offered, started, due_s))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            self.seen.offered += 1
        if self._asking:
            await asyncio.gather(*self._asking)
        for line in self._idle:
            line.close()
        return self.seen

    async def _ask(self, number: int, started: float, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        line, status = None, BROKEN
        with contextlib.suppress(OSError):
            line = await self._line()
            status = await line.ask(self._make_request(number))
        at_s = loop.time() - started
        self.seen.answers.append((status, at_s, at_s - due_s))
        if line is not None:
            if status == 503 and not line.has_retry_after:
                self.seen.bare_refusals += 1
            if line.is_open:
                self._idle.append(line)

    async def _line(self) -> Line:
        while self._idle:
            line = self._idle.pop()
            if line.is_open:
                return line
        return await connect(self._url)


async def connect(url: str) -> Line:
    """Return a new line to an address. Raises OSError."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    _, line = await loop.create_connection(lambda: Line(loop), host, port)
    return line


def packed(
    method: str, path: str, host: str, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> bytes:
    """Return a whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body

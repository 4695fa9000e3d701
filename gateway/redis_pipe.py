"""One connection to Redis on which all commands of an event-loop tick travel together.

redis-py costs about 30 µs a command even when pipelined; packing a command once per caller and
writing it as it is leaves the parser's share. Only the limiter uses it. It never waits longer than
its time limit and never repeats a command; a caller that gets None goes on without Redis.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import hiredis
import structlog
from redis.asyncio.connection import SSLConnection, parse_url

log = structlog.get_logger(__name__)

_RECONNECT_PAUSE_S: Final = 0.5


def pack(*arguments: str | bytes | int) -> bytes:
    """Return a command in the Redis protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
    return bytes(hiredis.pack_command(cast("Any", arguments)))


class RedisPipe(asyncio.Protocol):
    """A pipelined connection that loads `script` whenever it connects."""

    def __init__(self, url: str, script: str, *, timeout_s: float = 0.1) -> None:
        self.sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._script = script
        self._timeout_s = timeout_s
        # Called when the connection has been made and when it has been lost.
        self.on_change: Callable[[], None] = lambda: None
        self._target = parse_url(url)
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._outgoing: list[bytes] = []
        self._waiting: deque[tuple[float, asyncio.Future[Any] | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def send(self, command: bytes) -> Any:
        """Return the reply, or None when Redis is away, slow, or answers with an error."""
        transport = self._transport
        if transport is None:
            await self._connect()
            transport = self._transport
            if transport is None:
                return None
        future = self._loop.create_future()
        self._queue(command, future)
        return await future

    async def close(self) -> None:
        self._retry_at = float("inf")
        if self._connecting is not None:
            self._connecting.cancel()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _queue(self, command: bytes, future: asyncio.Future[Any] | None) -> None:
        outgoing = self._outgoing
        outgoing.append(command)
        self._waiting.append((self._loop.time() + self._timeout_s, future))
        if len(outgoing) == 1:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        if self._transport is None or not data:
            return
        # First the timer: a write to a connection that has just gone may raise.
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._look_at_oldest)
        self._transport.write(data)

    def _look_at_oldest(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        wait_s = self._waiting[0][0] - self._loop.time()
        if wait_s <= 0:
            self._give_up("slow")
        else:
            self._timer = self._loop.call_later(wait_s, self._look_at_oldest)

    # Connecting

    async def _connect(self) -> None:
        """Connect, or wait for those who are at it; at once give up shortly after a failure."""
        if self._connecting is None:
            if time.monotonic() < self._retry_at:
                return
            self._connecting = self._loop.create_task(self._dial())
        await asyncio.wait([self._connecting])

    async def _dial(self) -> None:
        target = self._target
        is_tls = issubclass(target.get("connection_class", object), SSLConnection)
        host, port = target.get("host", "127.0.0.1"), target.get("port", 6379)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._loop.create_connection(lambda: self, host, port, ssl=is_tls or None)
        except (OSError, TimeoutError) as error:
            # uvloop closes a connection made as the time runs out, and tells nobody.
            self._give_up("not connected")
            self._rest(type(error).__name__)
        finally:
            self._connecting = None

    def _greeting(self) -> Sequence[bytes]:
        commands = []
        username, password = self._target.get("username"), self._target.get("password")
        if password:
            commands.append(pack("AUTH", *([username] if username else []), password))
        if database := self._target.get("db"):
            commands.append(pack("SELECT", database))
        return [*commands, pack("SCRIPT", "LOAD", self._script)]

    def _rest(self, reason: str) -> None:
        self._retry_at = time.monotonic() + _RECONNECT_PAUSE_S
        log.warning("limits.redis_away", reason=reason)

    def _give_up(self, reason: str) -> None:
        """Drop the connection: a late reply must not answer another question."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            self._rest(reason)
        self.on_change()
        self._outgoing.clear()
        waiting, self._waiting = self._waiting, deque()
        for _, future in waiting:
            if future is not None and not future.done():
                future.set_result(None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader = hiredis.Reader()
        self._transport = cast("asyncio.Transport", transport)
        self.on_change()
        for command in self._greeting():
            self._queue(command, None)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None and self._transport.is_closing():
            self._give_up("connection lost")

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while True:
            reply = self._reader.gets()
            if reply is False:
                return
            if not self._waiting:
                self._give_up("out of step")
                return
            self._hand_over(reply)

    def _hand_over(self, reply: Any) -> None:
        _, future = self._waiting.popleft()
        if isinstance(reply, hiredis.ReplyError):
            self._on_error(reply)
            reply = None
        if future is not None and not future.done():
            future.set_result(reply)

    def _on_error(self, error: Exception) -> None:
        log.warning("limits.redis_error", kind=str(error).split(" ", 1)[0])
        if str(error).startswith("NOSCRIPT"):
            self._queue(pack("SCRIPT", "LOAD", self._script), None)

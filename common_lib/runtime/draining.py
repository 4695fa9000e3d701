"""A server that loses no request when it is stopped (ADR 0026).

First it says that it is not ready and goes on accepting, so that whoever spreads the requests can
take note. Then the listener goes, after the last connection in its queue was accepted. All the
while each answer says that it is the last one on its connection (RFC 9112, 9.6); connections at
rest are kept for a moment, because a request may be on its way over them.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from common_lib.awaited import EXTENSION, Caller
from common_lib.sockets import has_news, ignore_new_connections, is_readable

log = structlog.get_logger(__name__)

# Where a request's scope says that the process is about to stop.
DRAINING: Final = "is_draining"
# The last step of a handshake that had begun arrives within this, and the loop accepts it.
_HANDSHAKE_S: Final = 0.1
_ACCEPT_S: Final = 2.0
_CANCEL_S: Final = 1.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Drain:
    """How long each part of stopping may take, in seconds.

    `announce_s`: not ready and still accepting. `idle_s`: connections at rest stay open; longer
    than any client of ours sends a request that it cannot repeat over a connection at rest.
    `grace_s`: requests under way may go on, counted from the end of the announcement.
    """

    announce_s: float = 0.0
    idle_s: float = 0.0
    grace_s: float = 20.0


class DrainingState(ServerState):
    """uvicorn's state of a server, shared by its connections."""

    def __init__(self) -> None:
        super().__init__()
        self.is_draining = False


class DrainingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose connections end after an answer that says so."""

    server_state: DrainingState
    _rests_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.caller = Caller()
        self._told: dict[str, Any] = {EXTENSION: self.caller}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._told

    def connection_lost(self, exc: Exception | None) -> None:
        self.caller.is_gone = True
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.is_draining:
            self.announce_end()

    def shutdown(self) -> None:
        """Begin to drain; a connection at rest stays for now."""
        self.announce_end()

    def announce_end(self) -> None:
        """Let the answer in hand be the last, unless its head has left without saying so."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def end_at_rest(self, idle_s: float) -> None:
        """Close the connection once it has been at rest for `idle_s`, as far as was looked."""
        if not self._is_at_rest() or has_news(self.transport):
            self._rests_since = None
            return
        now = self.loop.time()
        if self._rests_since is None:
            self._rests_since = now
        if now - self._rests_since >= idle_s:
            self.transport.close()

    def _is_at_rest(self) -> bool:
        # The scope is made anew when the first byte of a request comes.
        if self.cycle is None:
            return self.scope is None
        return self.cycle.response_complete and self.cycle.scope is self.scope


class Server(uvicorn.Server):
    """uvicorn's server with our way to stop, and no signal handling of its own.

    Its own ends the process before our parts have stopped.
    """

    server_state: DrainingState

    def __init__(self, config: uvicorn.Config, drain: Drain | None = None) -> None:
        super().__init__(config)
        self.server_state = DrainingState()
        self._drain = drain or Drain()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def serve_until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        await self.serve()

    def _end(self) -> None:
        # uvicorn looks ten times a second; what is answered until then shall say it already.
        self.should_exit = True
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets
        self._announce()
        await asyncio.sleep(self._drain.announce_s)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._drain.grace_s
        await self._stop_accepting()
        self._announce_to_connections()
        await self._await_end_of_connections(ends_at)
        await self._await_until(lambda: not self.server_state.tasks, ends_at)
        await self._cut_off()
        await self.lifespan.shutdown()

    def _announce(self) -> None:
        self.lifespan.state[DRAINING] = True
        self.server_state.is_draining = True
        self._announce_to_connections()

    def _announce_to_connections(self) -> None:
        for connection in self._connections():
            connection.shutdown()

    async def _stop_accepting(self) -> None:
        """Accept who has connected already, then close the listeners."""
        listeners = [listener for server in self.servers for listener in server.sockets]
        try:
            for listener in listeners:
                ignore_new_connections(listener)
        except OSError as error:
            log.warning("server.no_socket_filter", error=str(error))
        await asyncio.sleep(_HANDSHAKE_S if self._drain.idle_s else 0)
        latest = asyncio.get_running_loop().time() + _ACCEPT_S
        await self._await_until(lambda: not any(map(is_readable, listeners)), latest)
        for server in self.servers:
            server.close()

    async def _await_end_of_connections(self, ends_at: float) -> None:
        def have_ended() -> bool:
            for connection in self._connections():
                connection.end_at_rest(self._drain.idle_s)
            return not self.server_state.connections

        await self._await_until(have_ended, ends_at)

    async def _await_until(self, condition: Callable[[], bool], ends_at: float) -> None:
        loop = asyncio.get_running_loop()
        while not condition() and loop.time() < ends_at:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(_POLL_S)

    async def _cut_off(self) -> None:
        """End what is left after the grace time."""
        tasks = tuple(self.server_state.tasks)
        if tasks:
            log.warning("server.cut_off", requests=len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_S)
        for connection in self._connections():
            connection.transport.abort()

    def _connections(self) -> list[DrainingProtocol]:
        return [cast("DrainingProtocol", each) for each in self.server_state.connections]

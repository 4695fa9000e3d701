"""Servers in the test's own process, for as long as a block lasts."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tests.waiting import eventually

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# Bound from the moment a port is chosen, so that nothing else is given it before it is served.
_reserved: dict[int, socket.socket] = {}


def free_port() -> int:
    """Return a port that stays reserved until `served` takes it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    _reserved[port] = listener
    return port


@asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """Serve an app on a port of this machine for as long as the block lasts; yields its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="on"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[_reserved.pop(port)]))
    await eventually(lambda: server.started or task.done(), what="the server listens")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.ended.set()
        await task


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Take connections on a port of this machine for as long as the block lasts; yields it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class _Server(uvicorn.Server):
    """uvicorn that leaves the test run's own signal handling alone and ends without its pauses."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Any:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await eventually(lambda: not self.server_state.tasks, what="the last answer")
        await self.lifespan.shutdown()

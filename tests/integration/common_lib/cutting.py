"""A TCP proxy that fails on command: it cuts connections, or takes them and says nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from tests.serving import listening

_CHUNK = 64 * 1024


class Cut(Enum):
    """When a connection is cut: before the server has the marker, or before it has answered."""

    BEFORE_IT_ARRIVES = 1
    BEFORE_THE_ANSWER = 2


class Proxy:
    """Stands before one server. `cut_at(marker, cut)` arms cuts; `is_mute` swallows all."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._marker: bytes | None = None
        self._cut = Cut.BEFORE_IT_ARRIVES
        self._is_reset = False
        self._times = 0
        self._clients: set[asyncio.StreamWriter] = set()
        self.is_mute = False
        self.port = 0
        self.accepted = 0

    def cut_at(self, marker: bytes, cut: Cut, *, is_reset: bool, times: int = 1) -> None:
        self._marker, self._cut, self._is_reset, self._times = marker, cut, is_reset, times

    def drop_all(self) -> None:
        """Cut every connection, as a server does that is killed and started again."""
        for client in self._clients:
            client.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._clients.add(writer)
        upstream, upstream_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(self._pump(upstream, writer))
        try:
            await self._forward(reader, upstream_writer, upstream, back)
        except OSError:
            pass  # one end was cut: that is what we are for
        finally:
            back.cancel()
            self._clients.discard(writer)
            for end in (writer, upstream_writer):
                end.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        back: asyncio.Task[None],
    ) -> None:
        while data := await reader.read(_CHUNK):
            if self._marker is None or self._marker not in data:
                upstream_writer.write(data)
                continue
            self._times -= 1
            if self._times <= 0:
                self._marker = None
            if self._cut is Cut.BEFORE_THE_ANSWER:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)
                upstream_writer.write(data)
                await upstream.read(_CHUNK)
            if self._is_reset:
                self.drop_all()
            return

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK):
            if not self.is_mute:
                sink.write(data)


@asynccontextmanager
async def proxy_before(host: str, port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(host, port)
    async with listening(proxy.serve) as proxy.port:
        try:
            yield proxy
        finally:
            proxy.drop_all()

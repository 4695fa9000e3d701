"""A MySQL server seen through a wire that counts statements and can be cut in a COMMIT."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from tests.serving import listening

_HEADER = 4
_COM_QUERY = 3


class Cut(StrEnum):
    """Where the next COMMIT loses its connection."""

    BEFORE_THE_SERVER = "the server never hears of it"
    AFTER_THE_SERVER = "the server commits, and its answer is lost"


@dataclass
class Wire:
    """A proxy on `port`. Set `cut` to lose the next COMMIT; `statements` are the round trips."""

    host: str
    server_port: int
    port: int = 0
    cut: Cut | None = None
    statements: list[bytes] = field(default_factory=list)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self.host, self.server_port)
        answers = asyncio.create_task(_pump(server_reader, writer))
        try:
            while packet := await reader.read(65_536):
                if not await self._forward(packet, server_writer):
                    break
        finally:
            answers.cancel()
            for one in (writer, server_writer):
                one.close()

    async def _forward(self, packet: bytes, server: asyncio.StreamWriter) -> bool:
        """Pass a packet on; False once the wire is cut."""
        is_query = len(packet) > _HEADER and packet[_HEADER] == _COM_QUERY
        statement = packet[_HEADER + 1 :] if is_query else b""
        if statement:
            self.statements.append(statement)
        if statement != b"COMMIT" or self.cut is None:
            server.write(packet)
            await server.drain()
            return True
        cut, self.cut = self.cut, None
        if cut is Cut.AFTER_THE_SERVER:
            server.write(packet)
            await server.drain()
        return False


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wire_to(host: str, port: int) -> AsyncIterator[Wire]:
    wire = Wire(host, port)
    async with listening(wire.connect) as wire.port:
        yield wire

"""Places for orders that hold a connection to the database from before they take stock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from common_lib.admission import Overloaded
from order_service.settings import Settings

# The admission before it keeps the queue short; this ends what no deadline ends.
_LONGEST_WAIT_S: Final = 10.0


class Seats:
    """Three quarters of the connections there may be: who looks, reads or pays finds one, too."""

    def __init__(self, settings: Settings) -> None:
        connections = settings.database_pool_size + settings.database_max_overflow
        self._free = asyncio.Semaphore(max(1, connections * 3 // 4))

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place for the block. Raises Overloaded where none came free in time."""
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded("no connection to the database came free") from None
        try:
            yield
        finally:
            self._free.release()

"""Many who reserve at once, over the batchers of several processes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from catalog_service.models.reservations import HeldStock, ReserveCommand
from tests.integration.catalog_service.conftest import Catalog

AWAY: Final = "redis://127.0.0.1:1/0"


async def all_of(catalogs: Sequence[Catalog], commands: Sequence[ReserveCommand]) -> list[Any]:
    """Send the commands all at once, spread over the processes' batchers."""
    start = asyncio.Barrier(len(commands))

    async def one(n: int, command: ReserveCommand) -> HeldStock:
        await start.wait()
        held, _ = await catalogs[n % len(catalogs)].deps.batcher.reserve(command)
        return held

    calls = (one(n, command) for n, command in enumerate(commands))
    return await asyncio.gather(*calls, return_exceptions=True)


def held(answers: Sequence[Any]) -> list[HeldStock]:
    return [answer for answer in answers if isinstance(answer, HeldStock)]

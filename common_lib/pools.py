"""The connections of all processes that share a database server, and how many it takes."""

import asyncio
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from common_lib.database import connect
from common_lib.settings import DatabaseSettings
from common_lib.settings.start import UnfitForStart

# For those who look after the server, and for tools.
_SPARE_CONNECTIONS: Final = 10


def ensure_pools_fit(settings: DatabaseSettings) -> None:
    """Look once whether the server has connections for all processes that share it.

    Raises UnfitForStart where it has not: else some process would be refused when it matters. A
    server that does not answer is not waited for; readiness tells of it.
    """
    found = asyncio.run(_max_connections(settings))
    each = settings.database_pool_size + settings.database_max_overflow
    wanted = each * settings.database_processes + _SPARE_CONNECTIONS
    if found is not None and wanted > found:
        raise UnfitForStart(
            f"SHOP_DATABASE_POOL_SIZE and SHOP_DATABASE_MAX_OVERFLOW ({each} connections) times"
            f" SHOP_DATABASE_PROCESSES ({settings.database_processes}), and"
            f" {_SPARE_CONNECTIONS} to spare, are {wanted}, but the database takes {found}"
            " (max_connections): make the pools smaller or max_connections larger"
        )


async def _max_connections(settings: DatabaseSettings) -> int | None:
    engine = create_async_engine(
        settings.database_url,
        poolclass=NullPool,
        connect_args={"async_creator_fn": connect},
    )
    try:
        async with engine.connect() as connection:
            return int(await connection.scalar(text("SELECT @@max_connections")))
    except DBAPIError:
        return None
    finally:
        await engine.dispose()

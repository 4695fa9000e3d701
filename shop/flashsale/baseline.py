"""The brief's own design on the same MySQL and Redis: what the sale is measured against.

It works on a copy of the stock table that exists for these seconds only, and does less than the
sale does: it counts one number down, without HTTP, order, reservation, ledger or mail.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from common_lib.cache import create_redis
from common_lib.database import Database
from shop.flashsale.lock_per_request import LockPerRequest
from shop.flashsale.plan import Measured

BUYERS: Final = 64
SECONDS: Final = 3.0
# Those who wait for the lock wait in Redis: an answer within 100 ms is not theirs to have.
_REDIS_TIMEOUT_S: Final = 5.0
_PLENTY: Final = 1_000_000_000


async def measure(
    database: Database, redis_url: str, *, buyers: int = BUYERS, seconds: float = SECONDS
) -> Measured:
    """Let `buyers` take units one after the other for some seconds, each under the lock."""
    redis = create_redis(redis_url, timeout_s=_REDIS_TIMEOUT_S)
    variant_id, latencies_ms = uuid4(), list[float]()
    try:
        async with _scratch_table(database, variant_id.bytes) as table:
            design = LockPerRequest(redis, database.driver, variant_id, table=table)
            started = time.monotonic()

            async def take() -> None:
                while (began := time.monotonic()) < started + seconds:
                    await design.take_one()
                    latencies_ms.append((time.monotonic() - began) * 1000)

            await asyncio.gather(*(take() for _ in range(buyers)))
            return Measured(time.monotonic() - started, len(latencies_ms), latencies_ms)
    finally:
        await redis.aclose()


@asynccontextmanager
async def _scratch_table(database: Database, variant_id: bytes) -> AsyncIterator[str]:
    """Make a copy of the stock table with plenty of one variant, for the block."""
    table = f"scratch_flash_sale_{secrets.token_hex(4)}"
    await _execute(database, f"CREATE TABLE {table} LIKE inventory")
    try:
        fill = (
            f"INSERT INTO {table} (variant_id, quantity, updated_at)"  # noqa: S608 - our own name
            f" VALUES (%s, {_PLENTY}, UTC_TIMESTAMP(6))"
        )
        await _execute(database, fill, variant_id)
        yield table
    finally:
        await _execute(database, f"DROP TABLE {table}")


async def _execute(database: Database, statement: str, *values: bytes) -> None:
    async with database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute(statement, values)
        await connection.commit()

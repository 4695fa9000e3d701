"""Buyers of one item in a process of their own, so that its CPU is the design's alone.

Reads one order of work a line, as JSON `{"design", "variant", "clients", "seconds"}`, and answers
each with a line of JSON; takes the catalog's environment. A design is `joined` (the catalog's
batcher), `locked` (the lock-per-request baseline) or `plain` (one guarded transaction per buyer,
without Redis).
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import uvloop

from catalog_service.main import new_batcher
from catalog_service.models.reservations import InsufficientStock, Line, ReserveCommand
from catalog_service.services.announcements import Announcements
from catalog_service.services.batcher import ReservationBatcher
from catalog_service.settings import Settings
from common_lib.cache import create_redis
from common_lib.clock import now
from common_lib.database import Database, to_column
from common_lib.ids import new_id
from shop.flashsale.lock_per_request import LockPerRequest
from tests.bench.stats import percentile

# The baseline's clients wait for each other in Redis; ours answers within 100 ms or is away.
REDIS_TIMEOUT_S = 5.0
WARM_UP_S = 0.3
_INSERT = (
    "INSERT INTO stock_movements (id, variant_id, reservation_id, kind, quantity_delta,"
    " reserved_delta, created_at) VALUES (%s, %s, %s, 'RESERVE', 0, 1, %s)"
)
_TAKE = (
    "UPDATE inventory SET reserved = reserved + 1, version = version + 1"
    " WHERE variant_id = %s AND quantity - reserved >= 1"
)

TakeOne = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def opened() -> AsyncIterator[Callable[[str, UUID], TakeOne]]:
    """Return a maker of buyers' one action: a design applied to a variant."""
    settings = Settings()
    database = Database(settings)
    redis = create_redis(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
    batcher = new_batcher(settings, database, redis, Announcements(redis, settings))

    def action(design: str, variant_id: UUID) -> TakeOne:
        designs: dict[str, TakeOne] = {
            "joined": lambda: take_joined(batcher, variant_id),
            "locked": LockPerRequest(redis, database.driver, variant_id).take_one,
            "plain": lambda: take_plainly(database, variant_id),
        }
        return designs[design]

    yield action
    await batcher.close()
    await redis.aclose()
    await database.close()


async def take_joined(batcher: ReservationBatcher, variant_id: UUID) -> bool:
    command = ReserveCommand(new_id(), new_id(), "bench", (Line(variant_id, 1),))
    try:
        await batcher.reserve(command)
    except InsufficientStock:
        return False
    return True


async def take_plainly(database: Database, variant_id: UUID) -> bool:
    """Insert a row and take one unit, statement by statement, in a transaction of one's own."""
    async with database.driver() as connection, connection.cursor() as cursor:
        variant = variant_id.bytes
        values = (new_id().bytes, variant, new_id().bytes, to_column(now()))
        await cursor.execute(_INSERT, values)
        has_taken = bool(await cursor.execute(_TAKE, (variant,)))
        await (connection.commit() if has_taken else connection.rollback())
        return has_taken


class Buyers:
    """Clients who each take one unit after the other until the time or the stock is up."""

    def __init__(self, take_one: TakeOne, seconds: float) -> None:
        self._take_one = take_one
        self._ends_at = time.perf_counter() + seconds
        self._seconds = seconds
        self.latencies_ms: list[float] = []
        self.refused = 0

    async def run(self, clients: int) -> None:
        await asyncio.gather(*(self._buy() for _ in range(clients)))

    async def _buy(self) -> None:
        while (started := time.perf_counter()) < self._ends_at:
            if not await self._take_one():
                self.refused += 1
                return
            self.latencies_ms.append((time.perf_counter() - started) * 1000)


async def measure(take_one: TakeOne, clients: int, seconds: float) -> dict[str, float]:
    warm_up = Buyers(take_one, WARM_UP_S)
    await warm_up.run(clients)
    cpu_before, started = _cpu_s(), time.perf_counter()
    buyers = Buyers(take_one, seconds)
    await buyers.run(clients)
    elapsed_s, cpu_s = time.perf_counter() - started, _cpu_s() - cpu_before
    granted, latencies = len(buyers.latencies_ms), buyers.latencies_ms or [0.0]
    return {
        "granted": granted,
        "granted_in_all": granted + len(warm_up.latencies_ms),
        "refused": buyers.refused + warm_up.refused,
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "p50_ms": percentile(latencies, 0.50),
        "p99_ms": percentile(latencies, 0.99),
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve() -> None:
    """Do the work that standard input asks for until it ends."""
    async with opened() as action:
        while line := await asyncio.to_thread(sys.stdin.readline):
            work = json.loads(line)
            take_one = action(work["design"], UUID(work["variant"]))
            found = await measure(take_one, work["clients"], work["seconds"])
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve())

"""The user service's worker: the outbox relay of users_db."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common_lib.bus import Bus
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.outbox import Relay
from common_lib.runtime import Check, Worker, run_worker
from user_service.services.users import SOURCE
from user_service.settings import Settings


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Worker]:
    """Yield the worker's parts; they are closed afterwards."""
    database, redis = Database(settings), create_redis(settings.redis_url)
    async with Bus(settings) as bus:
        relay = Relay(database, bus, redis, source=SOURCE)
        checks = {
            "database": Check(database.ping),
            "bus": Check(bus.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            yield Worker({"relay": relay.run}, checks)
        finally:
            await redis.aclose()
            await database.close()


def main() -> None:
    settings = Settings()
    run_worker(settings, "user-worker", lambda: build(settings))


if __name__ == "__main__":
    main()

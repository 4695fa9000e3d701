"""The user service's worker: relay, links to reset passwords, revocations in Redis, upkeep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from common_lib.bus import Bus
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.outbox import Relay
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, Worker, every, run_worker
from common_lib.settings.start import told_plainly
from user_service.services import old_sessions, one_time_tokens
from user_service.services.password_resets import ResetAnswers
from user_service.services.revocations import Revocations
from user_service.services.users import SOURCE
from user_service.settings import Settings

_RESETS_EVERY_S: Final = 1.0
_PRUNE_EVERY_S: Final = 60 * 60
_REVOCATIONS_EVERY_S: Final = 0.5
# A page of revocations is a thousand keys: more than the usual tenth of a second allows for.
_PAGE_TIMEOUT_S: Final = 1.0


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Worker]:
    """Yield the worker's parts; they are closed afterwards."""
    database = Database(settings)
    redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    patient_redis = create_redis(settings.redis_url, timeout_s=_PAGE_TIMEOUT_S)
    async with Bus(settings) as bus:
        relay = Relay(database, bus, redis, source=SOURCE)
        revocations = Revocations(database, patient_redis)
        components = {
            "relay": relay.run,
            "resets": every(_RESETS_EVERY_S, ResetAnswers(database, redis).answer),
            "old-tokens": every(_PRUNE_EVERY_S, lambda: one_time_tokens.prune(database)),
            "old-sessions": every(_PRUNE_EVERY_S, lambda: old_sessions.prune(database)),
            "revocations": every(_REVOCATIONS_EVERY_S, revocations.keep),
        }
        checks = {
            "database": Check(database.ping),
            "bus": Check(bus.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            yield Worker(components, checks)
        finally:
            await patient_redis.aclose()
            await redis.aclose()
            await database.close()


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        run_worker(settings, "user-worker", lambda: build(settings))


if __name__ == "__main__":
    main()

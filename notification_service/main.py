"""The notification service over HTTP: settings → database, Redis, keys → app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from common_lib.auth import KeyRing, ServiceTokens, authentication
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, create_app, serve
from common_lib.settings.start import told_plainly
from notification_service import api
from notification_service.services.notifications import NotificationLogs
from notification_service.settings import NAME, Settings


def build_app(settings: Settings) -> FastAPI:
    """Return the app. Raises ValueError naming a key file that is missing or no P-256 key."""
    services = ServiceTokens(KeyRing(settings.service_token_key_file), NAME)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings)
        redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
        app.state.deps = api.Deps(NotificationLogs(database))
        app.state.checks = {
            "database": Check(database.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            async with authentication(settings, redis, services) as app.state.authenticator:
                yield
        finally:
            await redis.aclose()
            await database.close()

    return create_app(settings, NAME, routers=[api.router], lifespan=lifespan)


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

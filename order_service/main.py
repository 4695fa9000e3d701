"""The order service over HTTP: settings → use cases → app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from common_lib.auth import KeyRing, KeySource, ServiceTokens, authentication
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, create_app, serve
from common_lib.settings.start import told_plainly
from order_service.api import ROUTERS, ROUTES
from order_service.queries.placing import SOURCE
from order_service.services.wiring import use_cases
from order_service.settings import Settings


def build_app(settings: Settings, *, keys: KeySource | None = None) -> FastAPI:
    """Return the app; `keys` replaces the user service's. Raises ValueError for a bad key file."""
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SOURCE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            use_cases(settings, services) as cases,
            authentication(settings, cases.redis, services, keys) as app.state.authenticator,
        ):
            app.state.deps = cases
            app.state.checks = {
                "database": Check(cases.database.ping),
                "redis": Check(cases.redis.ping, is_required=False),
            }
            yield

    return create_app(settings, SOURCE, routers=ROUTERS, routes=ROUTES, lifespan=lifespan)


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

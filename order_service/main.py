"""The order service over HTTP: settings → use cases → app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI

from common_lib.auth import (
    Authenticator,
    JwksCache,
    KeySource,
    ServiceTokens,
    Sessions,
    SigningKey,
    TokenVerifier,
)
from common_lib.http_client import HttpClient
from common_lib.runtime import Check, create_app, serve
from order_service.api import ROUTERS, ROUTES
from order_service.clients.users import keys_from
from order_service.queries.placing import SOURCE
from order_service.services.wiring import use_cases
from order_service.settings import Settings


def build_app(settings: Settings, *, keys: KeySource | None = None) -> FastAPI:
    """Return the app; `keys` replaces the user service's. Raises ValueError for a bad key file."""
    services = ServiceTokens(SigningKey.from_file(settings.service_token_key_file), SOURCE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        jwks = urlsplit(settings.jwks_url)
        http = HttpClient("user-service", [f"{jwks.scheme}://{jwks.netloc}"], timeout_s=2)
        verifier = TokenVerifier(
            keys or JwksCache(keys_from(http, jwks.path)),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
        async with use_cases(settings, services) as cases:
            app.state.authenticator = Authenticator(verifier, Sessions(cases.redis), services)
            app.state.deps = cases
            app.state.checks = {
                "database": Check(cases.database.ping),
                "redis": Check(cases.redis.ping, is_required=False),
            }
            yield
        await http.close()

    return create_app(settings, SOURCE, routers=ROUTERS, routes=ROUTES, lifespan=lifespan)


def main() -> None:
    settings = Settings()
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

"""The notification service over HTTP: settings → database, Redis, keys → app."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI

from common_lib.auth import (
    Authenticator,
    JwksCache,
    ServiceTokens,
    Sessions,
    SigningKey,
    TokenVerifier,
)
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient
from common_lib.runtime import Check, create_app, serve
from notification_service import api
from notification_service.services.notifications import NotificationLogs
from notification_service.settings import Settings

NAME: Final = "notification-service"
HTTP_OK: Final = 200


def build_app(settings: Settings) -> FastAPI:
    """Return the app. Raises ValueError naming a key file that is missing or no P-256 key."""
    services = ServiceTokens(SigningKey.from_file(settings.service_token_key_file), NAME)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database, redis = Database(settings), create_redis(settings.redis_url)
        keys, client = _keys(settings)
        verifier = TokenVerifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        app.state.authenticator = Authenticator(verifier, Sessions(redis), services)
        app.state.deps = api.Deps(NotificationLogs(database))
        app.state.checks = {
            "database": Check(database.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            yield
        finally:
            await client.close()
            await redis.aclose()
            await database.close()

    return create_app(settings, NAME, routers=[api.router], lifespan=lifespan)


def _keys(settings: Settings) -> tuple[JwksCache, HttpClient]:
    """Return the user service's keys, and the client they are fetched with."""
    parts = urlsplit(settings.jwks_url)
    client = HttpClient("user-service", [f"{parts.scheme}://{parts.netloc}"])

    async def fetch() -> Mapping[str, Any]:
        answer = await client.request("GET", parts.path, is_idempotent=True)
        if answer.status != HTTP_OK:
            raise Unavailable("the user service gave no keys")
        document: Mapping[str, Any] = answer.json()
        return document

    return JwksCache(fetch), client


def main() -> None:
    settings = Settings()
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

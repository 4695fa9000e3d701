"""The user service over HTTP: settings → database, Redis, keys → app."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fastapi import FastAPI
from redis.asyncio import Redis

from common_lib.auth import (
    Authenticator,
    KeyRing,
    ServiceTokens,
    Sessions,
    TokenSigner,
    TokenVerifier,
)
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.runtime import Check, create_app, serve
from user_service.api import ROUTERS
from user_service.api.deps import Deps
from user_service.clients.attempts import AttemptLimiter
from user_service.services.addresses import Addresses
from user_service.services.auth import Auth
from user_service.services.passwords import PasswordHasher
from user_service.services.users import SOURCE, Users
from user_service.settings import Settings

HOUR_S: Final = 60 * 60
QUARTER_S: Final = 15 * 60


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the use cases are made of."""

    settings: Settings
    keys: KeyRing
    database: Database
    redis: Redis
    sessions: Sessions
    passwords: PasswordHasher

    def limiter(self, name: str, limit: int, window_s: int) -> AttemptLimiter:
        return AttemptLimiter(self.redis, name, limit=limit, window_s=window_s)


def build_app(settings: Settings) -> FastAPI:
    """Return the app. Raises ValueError naming a key file that is missing or no P-256 key."""
    keys = KeyRing(settings.jwt_private_key_file, next_path=settings.jwt_next_key_file)
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SOURCE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database, redis = Database(settings), create_redis(settings.redis_url)
        passwords = PasswordHasher(
            rounds=settings.bcrypt_rounds,
            threads=settings.bcrypt_threads,
            queue=settings.bcrypt_queue,
        )
        sessions = Sessions(redis)
        verifier = TokenVerifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        app.state.authenticator = Authenticator(verifier, sessions, services)
        app.state.deps = _wire(_Parts(settings, keys, database, redis, sessions, passwords))
        app.state.checks = {
            "database": Check(database.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            yield
        finally:
            passwords.close()
            await redis.aclose()
            await database.close()

    return create_app(settings, SOURCE, routers=ROUTERS, lifespan=lifespan)


def _wire(parts: _Parts) -> Deps:
    settings = parts.settings
    networks = [ipaddress.ip_network(network) for network in settings.trusted_proxies]
    return Deps(
        users=_users(parts),
        addresses=Addresses(parts.database, max_per_user=settings.max_addresses),
        auth=_auth(parts),
        jwks=parts.keys.jwks,
        trusted_proxies=networks,
    )


def _users(parts: _Parts) -> Users:
    settings = parts.settings
    return Users(
        db=parts.database,
        redis=parts.redis,
        sessions=parts.sessions,
        passwords=parts.passwords,
        accounts=parts.limiter("accounts", settings.accounts_limit_per_hour, HOUR_S),
        taken=parts.limiter("taken", settings.register_limit_per_hour, HOUR_S),
        guesses=parts.limiter("guesses", settings.login_limit_per_15min, QUARTER_S),
        refuses_common_passwords=settings.is_production,
    )


def _auth(parts: _Parts) -> Auth:
    settings = parts.settings
    issuer, audience = settings.jwt_issuer, settings.jwt_audience
    return Auth(
        db=parts.database,
        sessions=parts.sessions,
        signer=TokenSigner(parts.keys, issuer=issuer, audience=audience),
        refresh_key=parts.keys,
        passwords=parts.passwords,
        failures=parts.limiter("login", settings.login_limit_per_15min, QUARTER_S),
        guests=parts.limiter("guests", settings.accounts_limit_per_hour, HOUR_S),
        refresh_lifetime=timedelta(seconds=settings.refresh_token_ttl_s),
    )


def main() -> None:
    settings = Settings()
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

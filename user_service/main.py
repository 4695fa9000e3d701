"""The user service over HTTP: settings → database, Redis, keys → app."""

import asyncio
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
from common_lib.http_client import HttpClient
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, create_app, serve
from common_lib.settings.start import told_plainly
from user_service.api import ROUTERS
from user_service.api.deps import Deps
from user_service.clients.attempts import AttemptLimiter
from user_service.clients.exports import HeldData
from user_service.clients.orders import Orders
from user_service.services.addresses import Addresses
from user_service.services.dev_logins import DEV_LOGINS, refuse_dev_logins
from user_service.services.email_verification import EmailVerification
from user_service.services.erasure import Erasure
from user_service.services.exports import Exports
from user_service.services.field_cipher import FieldCipher
from user_service.services.guest_carts import GuestCarts
from user_service.services.logins import Logins
from user_service.services.password_changes import PasswordChanges
from user_service.services.password_resets import PasswordResets
from user_service.services.password_rules import PasswordRules
from user_service.services.passwords import PasswordHasher
from user_service.services.second_factor import SecondFactor
from user_service.services.sessions import LoginSessions
from user_service.services.tokens import Tokens
from user_service.services.users import SOURCE, Users
from user_service.settings import Settings

HOUR_S: Final = 60 * 60
QUARTER_S: Final = 15 * 60
# A flood of logins keeps this process busy for longer than the usual tenth of a second. It must not
# open the way by it: without an answer a guess is let through.
_COUNTER_TIMEOUT_S: Final = 0.5
# A page of an export: fifty orders with all that belongs to them.
_HELD_TIMEOUT_S: Final = 5.0
# How many times as many guesses at an account as from one address, in an hour, from all others.
STRANGERS_PER_ADDRESS: Final = 20


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the use cases are made of."""

    settings: Settings
    keys: KeyRing
    database: Database
    redis: Redis
    counters: Redis
    sessions: Sessions
    passwords: PasswordHasher
    cipher: FieldCipher
    verifier: TokenVerifier
    orders: HttpClient
    held: HeldData

    @property
    def rules(self) -> PasswordRules:
        return PasswordRules(refuses_common=self.settings.is_production)

    @property
    def link_mails(self) -> AttemptLimiter:
        return self.limiter("link-mails", self.settings.mail_limit_per_hour, HOUR_S)

    def limiter(self, name: str, limit: int, window_s: int) -> AttemptLimiter:
        return AttemptLimiter(self.counters, name, limit=limit, window_s=window_s)


def build_app(settings: Settings) -> FastAPI:
    """Return the app. Raises ValueError naming a key file that is missing or none of its kind."""
    keys = KeyRing(settings.jwt_private_key_file, next_path=settings.jwt_next_key_file)
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SOURCE)
    cipher = FieldCipher.from_file(settings.field_key_file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings)
        redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
        counters = create_redis(settings.redis_url, timeout_s=_COUNTER_TIMEOUT_S)
        passwords = PasswordHasher(
            rounds=settings.bcrypt_rounds,
            threads=settings.bcrypt_threads,
            queue=settings.bcrypt_queue,
        )
        sessions = Sessions(redis)
        verifier = TokenVerifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        app.state.authenticator = Authenticator(verifier, sessions, services)
        orders, held = _order_service(settings, services), _held_data(settings, services)
        app.state.deps = _wire(
            _Parts(
                settings=settings,
                keys=keys,
                database=database,
                redis=redis,
                counters=counters,
                sessions=sessions,
                passwords=passwords,
                cipher=cipher,
                verifier=verifier,
                orders=orders,
                held=held,
            )
        )
        app.state.checks = {
            "database": Check(database.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        try:
            yield
        finally:
            passwords.close()
            await orders.close()
            await held.close()
            await counters.aclose()
            await redis.aclose()
            await database.close()

    return create_app(settings, SOURCE, routers=ROUTERS, lifespan=lifespan)


def _order_service(settings: Settings, services: ServiceTokens) -> HttpClient:
    timeout_s = settings.order_timeout_s
    return HttpClient("order-service", settings.order_url, timeout_s=timeout_s, tokens=services)


def _held_data(settings: Settings, services: ServiceTokens) -> HeldData:
    addresses = {
        "order-service": settings.order_url,
        "catalog-service": settings.catalog_url,
        "notification-service": settings.notification_url,
    }
    return HeldData(
        {
            name: HttpClient(name, urls, timeout_s=_HELD_TIMEOUT_S, tokens=services)
            for name, urls in addresses.items()
        }
    )


def _wire(parts: _Parts) -> Deps:
    settings = parts.settings
    networks = [ipaddress.ip_network(network) for network in settings.trusted_proxies]
    users = _users(parts)
    sessions, second_factor = _login_sessions(parts), _second_factor(parts, users)
    return Deps(
        users=users,
        addresses=Addresses(parts.database, max_per_user=settings.max_addresses),
        logins=_logins(parts, sessions, second_factor),
        sessions=sessions,
        second_factor=second_factor,
        guest_carts=GuestCarts(parts.verifier, parts.sessions, sessions, Orders(parts.orders)),
        password_changes=_password_changes(parts, users),
        password_resets=_password_resets(parts),
        email_verification=EmailVerification(parts.database, parts.redis, parts.link_mails),
        erasure=Erasure(parts.database, parts.redis, parts.sessions, parts.passwords, users),
        exports=Exports(parts.database, parts.held),
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
        mails=parts.link_mails,
        rules=parts.rules,
    )


def _password_changes(parts: _Parts, users: Users) -> PasswordChanges:
    return PasswordChanges(
        parts.database, parts.redis, parts.sessions, parts.passwords, users, parts.rules
    )


def _password_resets(parts: _Parts) -> PasswordResets:
    callers = parts.limiter("link-callers", parts.settings.mails_per_caller_and_hour, HOUR_S)
    return PasswordResets(
        db=parts.database,
        redis=parts.redis,
        sessions=parts.sessions,
        passwords=parts.passwords,
        rules=parts.rules,
        mails=parts.link_mails,
        callers=callers,
    )


def _login_sessions(parts: _Parts) -> LoginSessions:
    settings = parts.settings
    issuer, audience = settings.jwt_issuer, settings.jwt_audience
    tokens = Tokens(
        live=parts.sessions,
        signer=TokenSigner(parts.keys, issuer=issuer, audience=audience),
        key=parts.keys,
        keys=parts.keys,
        issuer=issuer,
        refresh_lifetime=timedelta(seconds=settings.refresh_token_ttl_s),
    )
    return LoginSessions(parts.database, parts.sessions, tokens)


def _second_factor(parts: _Parts, users: Users) -> SecondFactor:
    return SecondFactor(
        parts.database, parts.redis, users, parts.cipher, shop_name=parts.settings.shop_name
    )


def _logins(parts: _Parts, sessions: LoginSessions, second_factor: SecondFactor) -> Logins:
    settings = parts.settings
    from_strangers = settings.login_limit_per_15min * STRANGERS_PER_ADDRESS
    return Logins(
        db=parts.database,
        sessions=sessions,
        passwords=parts.passwords,
        second_factor=second_factor,
        failures=parts.limiter("login", settings.login_limit_per_15min, QUARTER_S),
        strangers=parts.limiter("login-strangers", from_strangers, HOUR_S),
        guests=parts.limiter("guests", settings.accounts_limit_per_hour, HOUR_S),
        refused=DEV_LOGINS if settings.is_production else (),
    )


async def _look_for_dev_logins(settings: Settings) -> None:
    database = Database(settings)
    try:
        await refuse_dev_logins(database)
    finally:
        await database.close()


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        if settings.is_production:
            asyncio.run(_look_for_dev_logins(settings))
        serve(build_app(settings), settings)


if __name__ == "__main__":
    main()

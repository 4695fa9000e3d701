"""The one place where use cases are put together, for the web app and for the worker alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from common_lib.auth import ServiceTokens
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.http_client import HttpClient
from order_service.clients.catalog import Catalog
from order_service.clients.payments import PaymentProvider
from order_service.clients.users import Users
from order_service.services.carts import Carts
from order_service.services.coupons import Coupons
from order_service.services.in_flight import InFlight
from order_service.services.orders import Orders
from order_service.services.payment_webhooks import PaymentWebhooks
from order_service.services.payments import Payments
from order_service.services.placing import Placing
from order_service.services.provider_calls import ProviderCalls
from order_service.settings import Settings


@dataclass(frozen=True, slots=True)
class UseCases:
    """The use cases of one process with the connections they share."""

    database: Database
    redis: Redis
    cart_redis: Redis
    carts: Carts
    placing: Placing
    orders: Orders
    payments: Payments
    payment_webhooks: PaymentWebhooks
    provider_calls: ProviderCalls
    coupons: Coupons


@dataclass(frozen=True, slots=True)
class _Clients:
    """The pools of connections to the other services and to the provider."""

    catalog: HttpClient
    users: HttpClient
    payments: HttpClient

    async def close(self) -> None:
        for http in (self.catalog, self.users, self.payments):
            await http.close()


@asynccontextmanager
async def use_cases(settings: Settings, services: ServiceTokens) -> AsyncIterator[UseCases]:
    """Open what the use cases need, yield them, and close it all."""
    database = Database(settings)
    redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    # Carts are nowhere else: what is worth waiting for, unlike a copy.
    carts = create_redis(settings.redis_url, timeout_s=settings.cart_redis_timeout_s)
    clients = _clients(settings, services)
    try:
        cases = _wire(settings, database, (redis, carts), clients)
        yield cases
        await cases.placing.close()
    finally:
        await clients.close()
        await carts.aclose()
        await redis.aclose()
        await database.close()


def _clients(settings: Settings, services: ServiceTokens) -> _Clients:
    return _Clients(
        catalog=HttpClient(
            "catalog-service",
            settings.catalog_url,
            timeout_s=settings.catalog_timeout_s,
            tokens=services,
        ),
        users=HttpClient(
            "user-service", settings.user_url, timeout_s=settings.user_timeout_s, tokens=services
        ),
        payments=HttpClient(
            "payment-provider",
            [settings.payment_sandbox_url],
            timeout_s=settings.payment_timeout_s,
        ),
    )


def _wire(
    settings: Settings, database: Database, both: tuple[Redis, Redis], clients: _Clients
) -> UseCases:
    catalog = Catalog(clients.catalog)
    redis, cart_redis = both
    carts = Carts(redis=cart_redis, catalog=catalog, settings=settings)
    in_flight = InFlight(
        redis, ttl_ms=settings.in_flight_ttl_ms, instance=f"{settings.host}:{settings.port}"
    )
    calls = ProviderCalls(
        database=database,
        redis=redis,
        provider=PaymentProvider(clients.payments, timeout_s=settings.payment_timeout_s),
        lease=timedelta(seconds=settings.payment_lease_s),
    )
    return UseCases(
        database=database,
        redis=redis,
        cart_redis=cart_redis,
        carts=carts,
        placing=Placing(
            database=database,
            redis=redis,
            catalog=catalog,
            users=Users(clients.users, cache_ttl_s=settings.contact_cache_ttl_s),
            carts=carts,
            in_flight=in_flight,
            settings=settings,
        ),
        orders=Orders(database=database, redis=redis, catalog=catalog),
        payments=Payments(
            database=database, redis=redis, in_flight=in_flight, calls=calls, settings=settings
        ),
        payment_webhooks=PaymentWebhooks(database=database, redis=redis, settings=settings),
        provider_calls=calls,
        coupons=Coupons(database=database, settings=settings),
    )

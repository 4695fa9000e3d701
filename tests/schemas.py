"""Which tables each service's database has, and how to look at a database that is not served."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

BUSINESS = {
    "user": {"users", "addresses"},
    "catalog": {
        "sellers",
        "categories",
        "products",
        "product_variants",
        "product_images",
        "inventory",
        "reviews",
        "wishlists",
    },
    "order": {
        "coupons",
        "orders",
        "order_items",
        "order_status_history",
        "payments",
        "shipments",
        "returns_refunds",
    },
    "notification": {"notification_logs"},
}
TECHNICAL = {
    "user": {
        "sessions",
        "refresh_tokens",
        "one_time_tokens",
        "password_reset_requests",
        "totp_credentials",
        "recovery_codes",
        "outbox",
    },
    "catalog": {
        "reservations",
        "reservation_lines",
        "stock_movements",
        "purchases",
        "image_removals",
        "product_imports",
        "product_import_errors",
        "former_slugs",
        "search_documents",
        "search_variants",
        "search_words",
        "search_updates",
        "search_rebuilds",
        "outbox",
        "inbox",
    },
    "order": {
        "idempotency_keys",
        "order_numbers",
        "unpaid_orders",
        "erased_users",
        "coupon_redemptions",
        "payment_webhook_events",
        "outbox",
        "inbox",
    },
    "notification": set[str](),
}


def tables_of(service: str) -> set[str]:
    """Return the names of all tables, with the one in which Alembic keeps its version."""
    return BUSINESS[service] | TECHNICAL[service] | {"alembic_version"}


async def tables(url: str) -> object:
    return await inspected(url, lambda connection: set(sa.inspect(connection).get_table_names()))


async def has_table(url: str, name: str) -> object:
    return await inspected(url, lambda connection: sa.inspect(connection).has_table(name))


async def differences(url: str, models: sa.MetaData) -> object:
    """Return what the database would have to change to be as the models say."""
    return await inspected(
        url, lambda connection: compare_metadata(MigrationContext.configure(connection), models)
    )


async def inspected(url: str, look: Callable[[sa.Connection], object]) -> object:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(look)
    await engine.dispose()
    return found

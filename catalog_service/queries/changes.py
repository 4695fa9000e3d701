"""What has changed of late, read from the rows that every change leaves behind."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models import outbox
from catalog_service.models.inventory import StockMovement
from catalog_service.models.products import ProductVariant
from common_lib.database import AnySession

# (newest row's id, how many rows): another pair means another change.
Mark = tuple[UUID, int]


async def changed_products(session: AnySession, since: UUID) -> dict[UUID, Mark]:
    """Return the products of which an event was written after the id `since`."""
    key = outbox.c.aggregate_key
    query = (
        sa.select(key, sa.func.max(outbox.c.id), sa.func.count())
        .where(outbox.c.id > since, outbox.c.event_type.like("PRODUCT%"))
        .group_by(key)
    )
    return {UUID(key): (newest, rows) for key, newest, rows in await session.execute(query)}


async def variants_of(session: AnySession, product_ids: Collection[UUID]) -> list[UUID]:
    select = sa.select(ProductVariant.id).where(ProductVariant.product_id.in_(product_ids))
    return list(await session.scalars(select))


async def products_with_moved_stock(session: AnySession, since: UUID) -> dict[UUID, Mark]:
    """Return the products whose ledger has rows after the id `since`."""
    newest, rows = sa.func.max(StockMovement.id), sa.func.count()
    query = (
        sa.select(ProductVariant.product_id, newest, rows)
        .join(StockMovement, StockMovement.variant_id == ProductVariant.id)
        .where(StockMovement.id > since)
        .group_by(ProductVariant.product_id)
    )
    return {product_id: (newest, rows) for product_id, newest, rows in await session.execute(query)}

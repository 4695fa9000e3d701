"""Products as rows of a file, batch by batch along their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.inventory import Inventory
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from common_lib.database import AnySession

# Rows of plain columns: whole objects cost the most of an export.
ExportRow = Any


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Whose products, and in which state. `of_shop` means those that no seller sells."""

    seller_id: UUID | None = None
    of_shop: bool = False
    status: ProductStatus | None = None


async def products_after(
    session: AnySession, wanted: ExportFilter, after: UUID | None, *, limit: int
) -> Mapping[UUID, ExportRow]:
    """Return the next products by id, as plain columns."""
    select = sa.select(
        Product.id,
        Product.slug,
        Product.name,
        Product.description,
        Product.category_id,
        Product.status,
    )
    if wanted.seller_id is not None:
        select = select.where(Product.seller_id == wanted.seller_id)
    if wanted.of_shop:
        select = select.where(Product.seller_id.is_(None))
    if wanted.status is not None:
        select = select.where(Product.status == wanted.status)
    if after is not None:
        select = select.where(Product.id > after)
    rows = (await session.execute(select.order_by(Product.id).limit(limit))).all()
    return dict(zip((row.id for row in rows), rows, strict=True))


async def variants_of(session: AnySession, ids: Sequence[UUID]) -> Sequence[ExportRow]:
    """Return the products' variants with their counters, product by product."""
    variant = ProductVariant
    select = (
        sa.select(
            variant.product_id,
            variant.sku,
            variant.name,
            variant.price_minor,
            variant.currency,
            variant.compare_at_price_minor,
            variant.is_active,
            variant.attributes,
            Inventory.quantity,
            Inventory.reorder_level,
        )
        .outerjoin(Inventory, Inventory.variant_id == variant.id)
        .where(variant.product_id.in_(ids))
        .order_by(variant.product_id, variant.position, variant.id)
    )
    return (await session.execute(select)).all()

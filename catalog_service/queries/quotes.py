"""Variants as they would be sold now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.inventory import Inventory
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.queries.reservations import line_name
from common_lib.database import AnySession
from common_lib.money import Money


@dataclass(frozen=True, slots=True)
class Quote:
    product_id: UUID
    seller_id: UUID | None
    sku: str
    name: str
    price: Money
    available: int
    is_active: bool


async def quotes_by_variant(
    session: AnySession, variant_ids: Collection[UUID]
) -> Mapping[UUID, Quote]:
    """Return the quote of each variant that exists, in one statement."""
    select = (
        sa.select(ProductVariant, Product, Inventory, Seller.status)
        .join(Product, Product.id == ProductVariant.product_id)
        .join(Inventory, Inventory.variant_id == ProductVariant.id)
        .outerjoin(Seller, Seller.id == Product.seller_id)
        .where(ProductVariant.id.in_(variant_ids))
    )
    rows = await session.execute(select)
    return {row[0].id: _quote(*row) for row in rows}


def _quote(
    variant: ProductVariant, product: Product, stock: Inventory, seller: SellerStatus | None
) -> Quote:
    is_active = (
        variant.is_active
        and product.status is ProductStatus.ACTIVE
        and seller in {None, SellerStatus.ACTIVE}
    )
    return Quote(
        product_id=product.id,
        seller_id=product.seller_id,
        sku=variant.sku,
        name=line_name(product.name, variant.name),
        price=variant.price,
        available=stock.available,
        is_active=is_active,
    )

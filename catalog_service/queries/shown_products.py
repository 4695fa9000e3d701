"""What everybody may see of a page of products, read without the ORM.

Lists and searches show twenty products at a time; their entities cost five times what the rows do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from common_lib.database import AnySession

_PRODUCTS: Final = (
    "SELECT id, name, slug, description, category_id, seller_id, status, avg_rating, review_count,"
    " version, created_at, updated_at FROM products WHERE id IN ({ids}) AND status = 'ACTIVE'"
)
_VARIANTS: Final = (
    "SELECT v.product_id, v.id, v.sku, v.name, v.price_minor, v.currency,"
    " v.compare_at_price_minor, v.attributes, v.position, COALESCE(i.quantity - i.reserved, 0)"
    " FROM product_variants v LEFT JOIN inventory i ON i.variant_id = v.id"
    " WHERE v.product_id IN ({ids}) AND v.is_active ORDER BY v.position, v.id"
)
_IMAGES: Final = (
    "SELECT product_id, id, url, alt_text, width, height FROM product_images"
    " WHERE product_id IN ({ids}) ORDER BY position"
)


class ProductRow(NamedTuple):
    id: bytes
    name: str
    slug: str
    description: str
    category: bytes
    seller: bytes | None
    status: str
    avg_rating: Decimal
    review_count: int
    version: int
    created_at: datetime
    updated_at: datetime


class VariantRow(NamedTuple):
    """An active variant; `attributes` is JSON."""

    product: bytes
    id: bytes
    sku: str
    name: str
    price_minor: int
    currency: str
    compare_at_minor: int | None
    attributes: str
    position: int
    available: int


class ImageRow(NamedTuple):
    product: bytes
    id: bytes
    url: str
    alt_text: str
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class ShownRows:
    """Rows of several products: their variants and pictures in the order they are shown in."""

    products: Sequence[ProductRow]
    variants: Sequence[VariantRow]
    images: Sequence[ImageRow]


async def shown_rows(session: AnySession, ids: Sequence[UUID]) -> ShownRows:
    """Return the active ones of the products, in three statements whatever their number."""
    if not ids:
        return ShownRows((), (), ())
    listed = ",".join(f"0x{id_.hex}" for id_ in ids)
    return ShownRows(
        [ProductRow._make(row) for row in await _rows(session, _PRODUCTS, listed)],
        [VariantRow._make(row) for row in await _rows(session, _VARIANTS, listed)],
        [ImageRow._make(row) for row in await _rows(session, _IMAGES, listed)],
    )


async def _rows(session: AnySession, statement: str, ids: str) -> Sequence[Any]:
    """`ids` are hex literals made of UUIDs, so nothing is left to escape."""
    connection = await session.connection()
    return (await connection.exec_driver_sql(statement.format(ids=ids))).all()

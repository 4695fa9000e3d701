"""Products of a page as plain JSON: what `ProductOut` would write, without making the models."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from catalog_service.queries.shown_products import (
    ImageRow,
    ProductRow,
    VariantRow,
    shown_rows,
)
from common_lib.database import AnySession

# Columns hold UTC without saying so; the wire says Z.
_OPTIONS: Final = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

Json = dict[str, Any]


def dump(page: Json) -> bytes:
    """Return the page as bytes, the same that its schema would write."""
    return orjson.dumps(page, option=_OPTIONS)


def money(amount: int, currency: str) -> Json:
    return {"amount": amount, "currency": currency}


async def shown_items(session: AnySession, ids: Sequence[UUID]) -> list[Json]:
    """Return the products that are for everybody's eyes, as they are now, in the order of `ids`.

    Like a product's page they leave out what cannot be bought.
    """
    rows = await shown_rows(session, ids)
    variants: defaultdict[bytes, list[Json]] = defaultdict(list)
    for variant in rows.variants:
        variants[variant.product].append(_variant(variant))
    images: defaultdict[bytes, list[Json]] = defaultdict(list)
    for image in rows.images:
        images[image.product].append(_image(image))
    found = {row.id: _product(row, variants[row.id], images[row.id]) for row in rows.products}
    return [found[id_.bytes] for id_ in ids if id_.bytes in found]


def _product(row: ProductRow, variants: list[Json], images: list[Json]) -> Json:
    return {
        "id": UUID(bytes=row.id),
        "name": row.name,
        "slug": row.slug,
        "description": row.description,
        "categoryId": UUID(bytes=row.category),
        "sellerId": UUID(bytes=row.seller) if row.seller else None,
        "status": row.status,
        "avgRating": float(row.avg_rating),
        "reviewCount": row.review_count,
        "version": row.version,
        "variants": variants,
        "images": images,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


def _variant(row: VariantRow) -> Json:
    compare_at = row.compare_at_minor
    return {
        "id": UUID(bytes=row.id),
        "sku": row.sku,
        "name": row.name,
        "price": money(row.price_minor, row.currency),
        "compareAtPrice": None if compare_at is None else money(compare_at, row.currency),
        "attributes": orjson.loads(row.attributes),
        "isActive": True,
        "position": row.position,
        "available": row.available,
    }


def _image(row: ImageRow) -> Json:
    return {
        "id": UUID(bytes=row.id),
        "url": row.url,
        "altText": row.alt_text,
        "width": row.width,
        "height": row.height,
    }

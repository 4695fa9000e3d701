"""The products of a store as a CSV file, written while it is sent.

One batch is in memory at a time, and each is read in a transaction of its own: a slow client holds
no database connection. What changes meanwhile may or may not be in the file.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final, Literal
from uuid import UUID

from catalog_service.models.products import ProductStatus
from catalog_service.queries import categories, exports
from catalog_service.queries.exports import ExportFilter, ExportRow
from catalog_service.queries.products import seller_of_user
from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports.categories import CategoryNames
from catalog_service.services.imports.numbers import major_units
from common_lib.auth import Principal
from common_lib.database import Database, ReadSession
from common_lib.errors import NotFound

BATCH: Final = 500


async def filter_for(
    database: Database,
    principal: Principal,
    seller_id: UUID | Literal["shop"] | None,
    status: ProductStatus | None,
) -> ExportFilter:
    """Return what the caller may have: a seller the own products, an administrator any.

    "shop" means what the shop itself sells. Raises NotFound for a seller without a store, and for
    another's products.
    """
    if principal.is_admin:
        is_shop = seller_id == "shop"
        return ExportFilter(None if seller_id == "shop" else seller_id, is_shop, status)
    async with database.read_own_writes() as session:
        own = await seller_of_user(session, principal.user_id)
    if own is None or seller_id not in {None, own.id}:
        raise NotFound
    return ExportFilter(seller_id=own.id, status=status)


async def file(database: Database, wanted: ExportFilter) -> AsyncIterator[bytes]:
    """Yield the file in pieces, the header with the first products."""
    piece = _written([csv_format.COLUMNS])
    last: UUID | None = None
    while True:
        async with database.read() as session:
            found = await exports.products_after(session, wanted, last, limit=BATCH)
            rows = await _rows(session, found) if found else []
        yield piece + _written(rows)
        if len(found) < BATCH:
            return
        piece, last = b"", list(found)[-1]


async def _rows(
    session: ReadSession, products: Mapping[UUID, ExportRow]
) -> Iterable[Iterable[object]]:
    tree = await categories.all_categories(session)
    names = CategoryNames.of(tree)
    slugs = {category.id: names.slug_text(category.slug) for category in tree}
    variants = await exports.variants_of(session, list(products))
    return [_cells(products[variant.product_id], variant, slugs) for variant in variants]


def _cells(product: ExportRow, variant: ExportRow, slugs: Mapping[UUID, str]) -> Iterable[object]:
    """Return the cells in the order of COLUMNS; texts are made safe for spreadsheets."""
    compare_at = variant.compare_at_price_minor
    return (
        product.slug,
        csv_format.neutralised(product.name),
        csv_format.neutralised(product.description),
        slugs.get(product.category_id, ""),
        product.status.value,
        csv_format.neutralised(variant.sku),
        csv_format.neutralised(variant.name),
        major_units(variant.price_minor, variant.currency),
        variant.currency,
        "" if compare_at is None else major_units(compare_at, variant.currency),
        variant.quantity or 0,
        variant.reorder_level or 0,
        "true" if variant.is_active else "false",
        csv_format.neutralised(csv_format.attributes_text(variant.attributes)),
    )


def _written(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()

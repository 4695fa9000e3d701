"""Lists of products without words, straight from the products."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from catalog_service.queries import listing as queries
from catalog_service.schemas.search import NEWEST, RATING, Filters, PageRequest
from catalog_service.services.search.items import dump, shown_items
from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.database import Database


async def listed(database: Database, filters: Filters, request: PageRequest) -> bytes:
    """Return a `ProductPage` of active products as bytes. Raises InvalidCursor."""
    after = _after(request)
    async with database.read() as session:
        where = await queries.conditions(session, filters)
        found = await queries.page(
            session, where, sort=request.sort, after=after, limit=request.limit + 1
        )
        shown = found[: request.limit]
        items = await shown_items(session, [position.product_id for position in shown])
    has_more = len(found) > request.limit
    next_cursor = _cursor(request.sort, shown[-1]) if has_more else None
    return dump({"items": items, "nextCursor": next_cursor})


def _cursor(sort: str, end: queries.Position) -> str:
    value = str(end.value) if isinstance(end.value, Decimal) else end.value
    return encode_cursor(sort, None if isinstance(value, UUID) else value, end.product_id)


def _after(request: PageRequest) -> queries.Position | None:
    if request.cursor is None:
        return None
    value, product_id = decode_cursor(request.cursor, request.sort)
    return queries.Position(_sort_value(request.sort, value, product_id), product_id)


def _sort_value(sort: str, value: str | int | None, product_id: UUID) -> Any:
    if sort == NEWEST:
        return product_id
    try:
        return Decimal(str(value)) if sort == RATING else int(str(value))
    except (ValueError, ArithmeticError):
        raise InvalidCursor from None

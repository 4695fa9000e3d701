"""Lists of products without words."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from catalog_service.queries import listing as queries
from catalog_service.queries import search as copies
from catalog_service.queries.products import category_branch
from catalog_service.queries.search_conditions import product_conditions
from catalog_service.schemas.search import NEWEST, RATING, Filters, PageRequest, Position
from catalog_service.services.search.items import dump, shown_items
from catalog_service.services.search.variants import Judge, conditions_of
from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.database import AnySession, Database


async def listed(database: Database, filters: Filters, request: PageRequest) -> bytes:
    """Return a `ProductPage` of active products as bytes. Raises InvalidCursor.

    Filters about variants are judged in search's copies, which are a second or so behind.
    """
    after, limit = _after(request), request.limit
    async with database.read() as session:
        if conditions_of(filters).facets:
            found = await _from_copies(session, filters, request.sort, after, limit + 1)
        else:
            where = await queries.conditions(session, filters)
            found = await queries.page(
                session, where, sort=request.sort, after=after, limit=limit + 1
            )
        shown = found[:limit]
        items = await shown_items(session, [position.product_id for position in shown])
    next_cursor = _cursor(request.sort, shown[-1]) if len(found) > limit else None
    return dump({"items": items, "nextCursor": next_cursor})


async def _from_copies(
    session: AnySession, filters: Filters, sort: str, after: queries.Position | None, limit: int
) -> list[queries.Position]:
    branch = None
    if filters.category_id is not None:
        branch = await category_branch(session, filters.category_id)
    wanted, judge = conditions_of(filters), Judge(conditions_of(filters))
    tests = list(dict(product_conditions(filters, branch)).values())
    of_variant = wanted.condition()
    if of_variant is not None:
        tests.append(of_variant)
    rows = await copies.in_order(
        session,
        copies.Wanted(wanted.expression(), tuple(tests)),
        sort=sort,
        after=None if after is None else Position(_as_copied(sort, after), after.product_id),
        limit=limit,
        price=wanted.price(),
        are_few=bool(wanted.tokens),
    )
    return [_listed_position(row, sort, judge) for row in rows]


def _as_copied(sort: str, after: queries.Position) -> tuple[int, ...]:
    if sort == NEWEST:
        return ()
    return (int(100 * after.value) if sort == RATING else int(after.value),)


def _listed_position(row: copies.Candidate, sort: str, judge: Judge) -> queries.Position:
    product_id = UUID(bytes=row.product)
    if sort == NEWEST:
        return queries.Position(product_id, product_id)
    if sort == RATING:
        return queries.Position(Decimal(row.rating_hundredths) / 100, product_id)
    return queries.Position(judge.price(row), product_id)


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

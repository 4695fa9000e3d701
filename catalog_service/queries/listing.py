"""Lists of products without words: one page of ids by keyset, straight from the products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from catalog_service.models.products import Product, ProductStatus
from catalog_service.queries.products import category_branch
from catalog_service.schemas.search import NEWEST, PRICE, PRICE_DOWN, RATING, Filters
from common_lib.database import AnySession

# Sort name → column and whether it runs downwards; the id breaks ties in the same direction.
_SORTS: Final[Mapping[str, tuple[InstrumentedAttribute[Any], bool]]] = {
    PRICE: (Product.min_price_minor, False),
    PRICE_DOWN: (Product.min_price_minor, True),
    RATING: (Product.avg_rating, True),
    NEWEST: (Product.id, True),
}


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the value it was sorted by and the product's id."""

    value: Any
    product_id: UUID


async def conditions(session: AnySession, filters: Filters) -> list[sa.ColumnElement[bool]]:
    """Return the WHERE clause of the filters about products; a category is its whole branch."""
    found: list[sa.ColumnElement[bool]] = [Product.status == ProductStatus.ACTIVE]
    if filters.category_id is not None:
        branch = await category_branch(session, filters.category_id)
        found.append(Product.category_id.in_(branch))
    if filters.seller_id is not None:
        found.append(Product.seller_id == filters.seller_id)
    if filters.min_rating is not None:
        found.append(Product.avg_rating >= filters.min_rating)
    return found


async def page(
    session: AnySession,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    sort: str,
    after: Position | None,
    limit: int,
) -> list[Position]:
    """Return the next `limit` products by keyset: stable while rows are inserted."""
    instrumented, is_descending = _SORTS[sort]
    column = instrumented.expression
    select = sa.select(column, Product.id).where(*where).limit(limit)
    if after is not None:
        select = select.where(_beyond(column, is_descending=is_descending, after=after))
    ends = (column, Product.id)
    select = select.order_by(*(end.desc() if is_descending else end.asc() for end in ends))
    return [Position(*row) for row in (await session.execute(select))]


def _beyond(
    column: sa.ColumnElement[Any], *, is_descending: bool, after: Position
) -> sa.ColumnElement[bool]:
    """Written so that MySQL can use a range of the index: it does not for (a, b) < (x, y)."""
    value, last = sa.literal(after.value, column.type), after.product_id
    if is_descending:
        return sa.and_(column <= value, sa.or_(column < value, Product.id < last))
    return sa.and_(column >= value, sa.or_(column > value, Product.id > last))

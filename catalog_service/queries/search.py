"""Finding products: one page of ids by keyset, and the facets of all that match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import InstrumentedAttribute

from catalog_service.models.categories import Category
from catalog_service.models.inventory import Inventory
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from catalog_service.queries.products import category_branch
from common_lib.database import AnySession

MAX_FACETS: Final = 50
RELEVANCE: Final = "relevance"
NEWEST: Final = "newest"
# Sort name → column and whether it runs downwards; the id breaks ties in the same direction.
_SORTS: Final[Mapping[str, tuple[InstrumentedAttribute[Any], bool]]] = {
    "price": (Product.min_price_minor, False),
    "-price": (Product.min_price_minor, True),
    "rating": (Product.avg_rating, True),
    NEWEST: (Product.id, True),
}


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A boolean full-text expression, or a LIKE pattern where the words are too short for one."""

    expression: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for. Prices are in minor units."""

    text: TextMatch | None = None
    category_id: UUID | None = None
    seller_id: UUID | None = None
    min_price: int | None = None
    max_price: int | None = None
    min_rating: float | None = None
    in_stock: bool = False
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the value it was sorted by and the product's id."""

    value: Any
    product_id: UUID


@dataclass(frozen=True, slots=True)
class FacetCounts:
    total: int
    lowest_price: int | None
    highest_price: int | None
    categories: Sequence[tuple[UUID, str, int]]


async def conditions(session: AnySession, filters: Filters) -> list[sa.ColumnElement[bool]]:
    """Return the WHERE clause of the filters; a category stands for its whole branch."""
    found: list[sa.ColumnElement[bool]] = [Product.status == ProductStatus.ACTIVE]
    if filters.text is not None:
        found.append(_text_condition(filters.text))
    if filters.category_id is not None:
        branch = await category_branch(session, filters.category_id)
        found.append(Product.category_id.in_(branch))
    if filters.seller_id is not None:
        found.append(Product.seller_id == filters.seller_id)
    if filters.min_price is not None:
        found.append(Product.min_price_minor >= filters.min_price)
    if filters.max_price is not None:
        found.append(Product.min_price_minor <= filters.max_price)
    if filters.min_rating is not None:
        found.append(Product.avg_rating >= filters.min_rating)
    if filters.in_stock:
        found.append(_has_variant(Inventory.quantity > Inventory.reserved))
    found += [_has_variant(_attribute(name) == value) for name, value in filters.attributes]
    return found


async def page(
    session: AnySession,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    sort: str,
    text: TextMatch | None,
    after: Position | None,
    limit: int,
) -> list[Position]:
    """Return the next `limit` products by keyset: stable while rows are inserted."""
    column, is_descending = _sorting(sort, text)
    select = sa.select(column, Product.id).where(*where).limit(limit)
    if after is not None:
        select = select.where(_beyond(column, is_descending=is_descending, after=after))
    ends = (column, Product.id)
    select = select.order_by(*(end.desc() if is_descending else end.asc() for end in ends))
    return [Position(*row) for row in (await session.execute(select))]


async def facets(session: AnySession, where: Sequence[sa.ColumnElement[bool]]) -> FacetCounts:
    """Count what matches: in all, by category, and between which prices; two statements."""
    totals = sa.select(
        sa.func.count(), sa.func.min(Product.min_price_minor), sa.func.max(Product.min_price_minor)
    ).where(*where)
    total, lowest, highest = (await session.execute(totals)).one()
    by_category = (
        sa.select(Category.id, Category.name, sa.func.count())
        .join(Product, Product.category_id == Category.id)
        .where(*where)
        .group_by(Category.id, Category.name)
        .order_by(sa.func.count().desc(), Category.name)
        .limit(MAX_FACETS)
    )
    categories = (await session.execute(by_category)).all()
    return FacetCounts(total, lowest, highest, categories)


def _text_condition(text: TextMatch) -> sa.ColumnElement[bool]:
    if text.expression is not None:
        return _match(text.expression)
    return Product.name.like(text.pattern or "", escape="|")


def _match(expression: str) -> mysql.match:
    columns = (Product.name.expression, Product.description.expression)
    return mysql.match(*columns, against=expression).in_boolean_mode()


def _sorting(sort: str, text: TextMatch | None) -> tuple[sa.ColumnElement[Any], bool]:
    if sort != RELEVANCE:
        column, is_descending = _SORTS[sort]
        return column.expression, is_descending
    if text is None or text.expression is None:
        return Product.id.expression, True
    # Whole thousandths, so that a cursor can name a score exactly.
    score = sa.func.round(1000 * sa.type_coerce(_match(text.expression), sa.Float))
    return sa.cast(score, sa.BigInteger), True


def _beyond(
    column: sa.ColumnElement[Any], *, is_descending: bool, after: Position
) -> sa.ColumnElement[bool]:
    """Written so that MySQL can use a range of the index: it does not for (a, b) < (x, y)."""
    value, last = sa.literal(after.value, column.type), after.product_id
    if is_descending:
        return sa.and_(column <= value, sa.or_(column < value, Product.id < last))
    return sa.and_(column >= value, sa.or_(column > value, Product.id > last))


def _has_variant(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return (
        sa.select(ProductVariant.id)
        .join(Inventory, Inventory.variant_id == ProductVariant.id)
        .where(ProductVariant.product_id == Product.id, ProductVariant.is_active, condition)
        .correlate(Product)
        .exists()
    )


def _attribute(name: str) -> sa.ColumnElement[str]:
    return sa.func.json_unquote(sa.func.json_extract(ProductVariant.attributes, f'$."{name}"'))

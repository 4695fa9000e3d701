"""Full-text search and lists of products."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from catalog_service.queries import search as queries
from catalog_service.queries.products import product_details
from catalog_service.queries.search import NEWEST, RELEVANCE, FacetCounts, Filters, TextMatch
from catalog_service.schemas.cursors import InvalidCursor, decode_cursor, encode_cursor
from catalog_service.schemas.products import (
    CategoryCount,
    Facets,
    PriceRange,
    ProductOut,
    ProductPage,
    SearchPage,
)
from catalog_service.services.products import product_out
from common_lib.database import AnySession, Database
from common_lib.money import Money

# InnoDB's innodb_ft_min_token_size; shorter words are not in the index.
_SHORTEST_WORD: Final = 3
_LONGEST_WORD: Final = 84
_MOST_WORDS: Final = 10
# INFORMATION_SCHEMA.INNODB_FT_DEFAULT_STOPWORD: required, they would match nothing.
_STOPWORDS: Final = frozenset(
    {"about", "an", "are", "as", "at", "be", "by", "com", "de", "en", "for", "from", "how"}
    | {"in", "is", "it", "la", "of", "on", "or", "that", "the", "this", "to", "und", "was"}
    | {"what", "when", "where", "who", "will", "with", "www"}
)
_LIKE_SPECIAL: Final = re.compile(r"([|%_])")


def text_match(query: str) -> TextMatch:
    """Turn what a person typed into a safe expression: every word required, as a prefix.

    Operators and quotes are dropped. Where no word is long enough for the index, the query is
    looked for in the name as it stands.
    """
    words = [
        word
        for word in re.findall(r"\w+", query.replace("_", " ").lower())
        if _SHORTEST_WORD <= len(word) <= _LONGEST_WORD and word not in _STOPWORDS
    ]
    if words:
        return TextMatch(expression=" ".join(f"+{word}*" for word in words[:_MOST_WORDS]))
    literal = _LIKE_SPECIAL.sub(r"|\1", query)
    return TextMatch(pattern=f"%{literal}%")


@dataclass(frozen=True, slots=True)
class PageRequest:
    sort: str
    limit: int
    cursor: str | None = None


async def search(
    database: Database, filters: Filters, request: PageRequest, *, currency: str
) -> SearchPage | None:
    """Return a page with facets; None where nothing matches. Raises InvalidCursor.

    The number of statements does not depend on how many products are found.
    """
    after = _after(request)
    async with database.read() as session:
        where = await queries.conditions(session, filters)
        counts = await queries.facets(session, where)
        if counts.total == 0:
            return None
        page = await _page(session, where, filters, request, after)
    return SearchPage(
        items=page.items,
        next_cursor=page.next_cursor,
        facets=_facets(counts, currency),
        total=counts.total,
    )


async def listed(database: Database, filters: Filters, request: PageRequest) -> ProductPage:
    """Return a page of active products. Raises InvalidCursor."""
    after = _after(request)
    async with database.read() as session:
        where = await queries.conditions(session, filters)
        return await _page(session, where, filters, request, after)


def empty_search() -> SearchPage:
    facets = Facets(categories=(), prices=None)
    return SearchPage(items=(), next_cursor=None, facets=facets, total=0)


async def _page(
    session: AnySession,
    where: Sequence[Any],
    filters: Filters,
    request: PageRequest,
    after: queries.Position | None,
) -> ProductPage:
    found = await queries.page(
        session,
        where,
        sort=request.sort,
        text=filters.text,
        after=after,
        limit=request.limit + 1,
    )
    shown = found[: request.limit]
    details = await product_details(session, [position.product_id for position in shown])
    items: tuple[ProductOut, ...] = tuple(product_out(detail) for detail in details)
    has_more = len(found) > request.limit
    return ProductPage(
        items=items, next_cursor=_cursor(request.sort, shown[-1]) if has_more else None
    )


def _cursor(sort: str, end: queries.Position) -> str:
    value = str(end.value) if isinstance(end.value, Decimal) else end.value
    return encode_cursor(sort, None if isinstance(value, UUID) else value, end.product_id)


def _after(request: PageRequest) -> queries.Position | None:
    if request.cursor is None:
        return None
    value, product_id = decode_cursor(request.cursor, request.sort)
    return queries.Position(_sort_value(request.sort, value, product_id), product_id)


def _sort_value(sort: str, value: str | int | None, product_id: UUID) -> Any:
    if sort == NEWEST or (sort == RELEVANCE and value is None):
        return product_id
    try:
        return Decimal(str(value)) if sort == "rating" else int(str(value))
    except (ValueError, ArithmeticError):
        raise InvalidCursor from None


def _facets(counts: FacetCounts, currency: str) -> Facets:
    prices = None
    if counts.lowest_price is not None and counts.highest_price is not None:
        prices = PriceRange(
            lowest=Money(amount=counts.lowest_price, currency=currency),
            highest=Money(amount=counts.highest_price, currency=currency),
        )
    categories = tuple(CategoryCount(id=i, name=name, count=n) for i, name, n in counts.categories)
    return Facets(categories=categories, prices=prices)

"""Finding products by their words, in the compact copies that search keeps of them.

The cost of a search is bounded: full text reads the rarest words alone, the others are looked for
in the rows it gives, and no more than `limit` rows are read (ADR 0018).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from catalog_service.schemas.search import (
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    BY_STOCK,
    NEWEST,
    PRICE,
    PRICE_DOWN,
    RATING,
    RELEVANCE,
    Filters,
    Position,
)
from common_lib.database import AnySession

BEST_SOLD: Final = "sold"
# Sort → the columns before the id; everything runs downwards but the price.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    RELEVANCE: ("score", "sold"),
    PRICE: ("price_minor",),
    PRICE_DOWN: ("price_minor",),
    RATING: ("rating",),
    NEWEST: (),
    BEST_SOLD: ("sold",),
}
# Where rows are few, sorting them is less than a walk along the index of the order.
_SORT_ROWS: Final = (
    "IGNORE INDEX FOR ORDER BY (PRIMARY, ix_search_documents_price, ix_search_documents_rating)"
)
_MATCH: Final = "MATCH (words) AGAINST (%(expression)s IN BOOLEAN MODE)"
_COLUMNS: Final = (
    "product_id, category_id, seller_id, price_minor, CAST(100 * rating AS SIGNED), sold,"
    " in_stock, attributes"
)

# Columns of a candidate, its score included; what is selected behind them are flags.
_FLAGS: Final = 9


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of a WHERE clause with its values."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a statement looks for: full text, row conditions, and the score of a row."""

    expression: str
    conditions: tuple[Condition, ...] = ()
    score: Condition = Condition("0")

    def where(self) -> str:
        """Return the whole WHERE clause; without an expression it leaves full text out."""
        if not self.expression:
            return self.rows()
        return " AND ".join([_MATCH, *(condition.sql for condition in self.conditions)])

    def rows(self) -> str:
        """Return the WHERE clause without full text, for a walk along an index."""
        return " AND ".join(condition.sql for condition in self.conditions) or "1"

    def values(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(self.score.values)
        if self.expression:
            found["expression"] = self.expression
        for condition in self.conditions:
            found |= condition.values
        return found


class Candidate(NamedTuple):
    """A row that matches, as it was read: there are hundreds in a search, so little is made of it.

    Ids are bytes, and `attributes` is JSON.
    """

    product: bytes
    category: bytes
    seller: bytes | None
    price_minor: int
    rating_hundredths: int
    sold: int
    is_in_stock: int
    attributes: str
    score: int

    def value(self, sort: str) -> tuple[int, ...]:
        """Return what the order of `sort` goes by, before the id."""
        if sort == RELEVANCE:
            return self.score, self.sold
        if sort == RATING:
            return (self.rating_hundredths,)
        return () if sort == NEWEST else (self.price_minor,)

    def position(self, sort: str) -> Position:
        return Position(self.value(sort), UUID(bytes=self.product))


async def word_counts(
    session: AnySession, words: Sequence[tuple[str, bool]]
) -> dict[str, tuple[int, int]]:
    """Return in how many documents each word stands, by (names, texts); one statement.

    A word comes with whether its beginnings count: then all words that begin so are summed.
    """
    if not words:
        return {}
    parts, values = [], {}
    for n, (word, is_prefix) in enumerate(words):
        condition = f"word >= %(w{n})s AND word < %(e{n})s" if is_prefix else f"word = %(w{n})s"
        parts.append(
            f"SELECT {n}, COALESCE(SUM(name_count), 0), COALESCE(SUM(text_count), 0)"  # noqa: S608
            f" FROM search_words WHERE {condition}"
        )
        values[f"w{n}"] = word
        if is_prefix:
            values[f"e{n}"] = word + "~"  # behind every letter, digit and underscore
    rows = await _rows(session, " UNION ALL ".join(parts), values)
    return {words[n][0]: (int(names), int(texts)) for n, names, texts in rows}


async def candidates(session: AnySession, wanted: Wanted, *, limit: int) -> list[Candidate]:
    """Return at most `limit` products that match, those ranked highest.

    Full text ranks what it has read anyway; without it the score of each row does.
    """
    order = _MATCH if wanted.expression else "score"
    select = (
        f"SELECT {_COLUMNS}, {wanted.score.sql} AS score FROM search_documents"  # noqa: S608
        f" WHERE {wanted.where()} ORDER BY {order} DESC LIMIT %(row_limit)s"
    )
    rows = await _rows(session, select, {**wanted.values(), "row_limit": limit})
    return [Candidate._make(row) for row in rows]


async def best_sold(
    session: AnySession, named: Condition, score: Condition, *, limit: int
) -> list[Candidate]:
    """Return the products sold most whose names pass, read from their index until enough do.

    A quarter of a microsecond an entry: for words that many names have.
    """
    order = _ordered(BEST_SOLD)
    select = (
        f"SELECT {_COLUMNS}, {score.sql} FROM search_documents JOIN"  # noqa: S608
        " (SELECT product_id FROM search_documents FORCE INDEX (ix_search_documents_sold)"
        f" WHERE {named.sql} ORDER BY {order} LIMIT %(row_limit)s) best USING (product_id)"
        f" ORDER BY {order}"
    )
    values = {**named.values, **score.values, "row_limit": limit}
    return [Candidate._make(row) for row in await _rows(session, select, values)]


async def in_order(
    session: AnySession, wanted: Wanted, *, sort: str, after: Position | None, limit: int
) -> list[Candidate]:
    """Return the next products in the order of `sort`.

    What full text gives is put in order by ids alone: to sort the rows would copy their words.
    """
    where, values = wanted.where(), wanted.values()
    if after is not None:
        where += f" AND {_beyond(sort)}"
        values |= _position_values(sort, after)
    select = (
        f"SELECT {_COLUMNS}, {wanted.score.sql} FROM search_documents JOIN"  # noqa: S608
        f" (SELECT product_id FROM search_documents {_SORT_ROWS} WHERE {where}"
        f" ORDER BY {_ordered(sort)} LIMIT %(row_limit)s) page USING (product_id)"
        f" ORDER BY {_ordered(sort)}"
    )
    rows = await _rows(session, select, {**values, "row_limit": limit})
    return [Candidate._make(row) for row in rows]


async def walked(
    session: AnySession,
    wanted: Wanted,
    *,
    sort: str,
    after: Position | None,
    steps: int,
    limit: int,
) -> list[Candidate]:
    """Return the same as `in_order`, but only what is among the next `steps` products.

    For words so common that a page of them is soon found along the index of the order.
    """
    beyond = "1" if after is None else _beyond(sort)
    values: dict[str, Any] = {} if after is None else _position_values(sort, after)
    (column,) = _KEYS[sort] or ("product_id",)
    fence = await _rows(
        session,
        f"SELECT {column} FROM search_documents WHERE {beyond}"  # noqa: S608
        f" ORDER BY {_ordered(sort)} LIMIT 1 OFFSET %(steps)s",
        {**values, "steps": steps},
    )
    inside = [Condition(beyond, values)]
    if fence:
        sign = "<=" if sort == PRICE else ">="
        inside.append(Condition(f"{column} {sign} %(fence)s", {"fence": fence[0][0]}))
    fenced = replace(wanted, conditions=(*wanted.conditions, *inside))
    select = (
        f"SELECT {_COLUMNS}, {wanted.score.sql} FROM search_documents"  # noqa: S608
        f" WHERE {fenced.where()} ORDER BY {_ordered(sort)} LIMIT %(row_limit)s"
    )
    rows = await _rows(session, select, {**fenced.values(), "row_limit": limit})
    return [Candidate._make(row) for row in rows]


def _ordered(sort: str) -> str:
    (column,) = _KEYS[sort] or ("product_id",)
    direction = "ASC" if sort == PRICE else "DESC"
    return ", ".join(f"{end} {direction}" for end in dict.fromkeys((column, "product_id")))


async def near_misses(
    session: AnySession,
    words: Wanted,
    filters: Mapping[str, Condition],
    *,
    window: int,
    limit: int,
) -> dict[str, list[Candidate]]:
    """Return the products that only one filter keeps out, by the facet it belongs to.

    That is what a facet counts besides what was found. Of the products with these words no more
    than `window` are read, those that full text ranks highest.
    """
    flags = ", ".join(f"{each.sql} IS TRUE AS f{n}" for n, each in enumerate(filters.values()))
    order = f" ORDER BY {_MATCH} DESC" if words.expression else ""
    all_but_one = " + ".join(f"f{n}" for n in range(len(filters)))
    select = (
        f"SELECT * FROM (SELECT {_COLUMNS}, 0, {flags} FROM search_documents"  # noqa: S608
        f" WHERE {words.where()}{order} LIMIT %(window)s) looked"
        f" WHERE {all_but_one} = {len(filters) - 1} LIMIT %(row_limit)s"
    )
    values = words.values()
    for each in filters.values():
        values |= each.values
    rows = await _rows(session, select, {**values, "window": window, "row_limit": limit})
    found: dict[str, list[Candidate]] = {facet: [] for facet in filters}
    facets = list(filters)
    for row in rows:
        found[facets[row[_FLAGS:].index(0)]].append(Candidate._make(row[:_FLAGS]))
    return found


async def fewest(session: AnySession, filters: Sequence[Condition], *, below: int) -> int:
    """Return how many products pass the narrowest of these filters, looking at `below` of each.

    Each is counted in the index of its column alone.
    """
    counts = [
        "(SELECT COUNT(*) FROM"  # noqa: S608 - made of constants
        f" (SELECT 1 FROM search_documents WHERE {each.sql} LIMIT {below:d}) c{n})"
        for n, each in enumerate(filters)
    ]
    values: dict[str, Any] = {}
    for each in filters:
        values |= each.values
    ((*found,),) = await _rows(session, f"SELECT {', '.join(counts)}", values)
    return min(map(int, found))


def conditions(filters: Filters, branch: Sequence[UUID] | None) -> Iterator[tuple[str, Condition]]:
    """Return the filters as conditions on a row, by facet; `branch` is the category's subtree.

    Attributes are conditions on words, which the caller adds.
    """
    if branch is not None:
        names = {f"c{n}": category_id.bytes for n, category_id in enumerate(branch)}
        listed = ", ".join(f"%({name})s" for name in names) or "NULL"
        yield BY_CATEGORY, Condition(f"(category_id IN ({listed}))", names)
    if filters.seller_id is not None:
        yield BY_SELLER, Condition("(seller_id = %(seller)s)", {"seller": filters.seller_id.bytes})
    price = (filters.min_price, filters.max_price)
    if price != (None, None):
        yield BY_PRICE, _between(*price)
    if filters.min_rating is not None:
        yield BY_RATING, Condition("(rating >= %(rating)s)", {"rating": filters.min_rating})
    if filters.in_stock:
        yield BY_STOCK, Condition("in_stock")


def _between(lowest: int | None, highest: int | None) -> Condition:
    tests, values = [], {}
    if lowest is not None:
        tests.append("price_minor >= %(lowest)s")
        values["lowest"] = lowest
    if highest is not None:
        tests.append("price_minor <= %(highest)s")
        values["highest"] = highest
    return Condition(f"({' AND '.join(tests)})", values)


async def _rows(session: AnySession, statement: str, values: Mapping[str, Any]) -> Sequence[Any]:
    """Run a statement by the driver: Core would cost as much again to understand it."""
    connection = await session.connection()
    return (await connection.exec_driver_sql(statement, dict(values))).all()


def _beyond(sort: str) -> str:
    """Written so that MySQL can use a range of the index: it does not for (a, b) < (x, y)."""
    if sort == NEWEST:
        return "product_id < %(after_id)s"
    column, sign = _KEYS[sort][0], ">" if sort == PRICE else "<"
    return (
        f"{column} {sign}= %(after_value)s"
        f" AND ({column} {sign} %(after_value)s OR product_id {sign} %(after_id)s)"
    )


def _position_values(sort: str, after: Position) -> dict[str, Any]:
    values: dict[str, Any] = {"after_id": after.product_id.bytes}
    if sort == RATING:
        values["after_value"] = Decimal(after.value[0]) / 100
    elif sort != NEWEST:
        values["after_value"] = after.value[0]
    return values

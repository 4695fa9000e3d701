"""Finding products by their words, in the compact copies that search keeps of them.

The cost of a search is bounded: full text reads the rarest words alone, the others are looked for
in the rows it gives, and no more than `limit` rows are read (ADR 0018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from catalog_service.schemas.search import (
    NEWEST,
    PRICE,
    PRICE_DOWN,
    RATING,
    RELEVANCE,
    Filters,
    Position,
)
from common_lib.database import AnySession

# Sort → the columns before the id; everything runs downwards but the price.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    RELEVANCE: ("score", "sold"),
    PRICE: ("price_minor",),
    PRICE_DOWN: ("price_minor",),
    RATING: ("rating",),
    NEWEST: (),
}
_MATCH: Final = "MATCH (words) AGAINST (%(expression)s IN BOOLEAN MODE)"
_COLUMNS: Final = (
    "product_id, category_id, seller_id, price_minor, CAST(100 * rating AS SIGNED), sold,"
    " in_stock, attributes"
)


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


async def in_order(
    session: AnySession, wanted: Wanted, *, sort: str, after: Position | None, limit: int
) -> list[Candidate]:
    """Return the next products in the order of `sort`.

    Without an expression MySQL walks along the index of that order until it has enough.
    """
    (column,) = _KEYS[sort] or ("product_id",)
    order = "ASC" if sort == PRICE else "DESC"
    where, values = wanted.where(), wanted.values()
    if after is not None:
        where += f" AND {_beyond(sort)}"
        values |= _position_values(sort, after)
    ends = dict.fromkeys((column, "product_id"))
    select = (
        f"SELECT {_COLUMNS}, {wanted.score.sql} FROM search_documents"  # noqa: S608
        f" WHERE {where} ORDER BY {', '.join(f'{end} {order}' for end in ends)} LIMIT %(row_limit)s"
    )
    rows = await _rows(session, select, {**values, "row_limit": limit})
    return [Candidate._make(row) for row in rows]


async def documents_in(session: AnySession, branch: Sequence[UUID]) -> int:
    """Return how many products these categories hold, from their index alone."""
    select = sa.text(
        "SELECT COUNT(*) FROM search_documents WHERE category_id IN :branch"
    ).bindparams(sa.bindparam("branch", expanding=True))
    found = await session.execute(select, {"branch": [each.bytes for each in branch]})
    return int(found.scalar_one())


def conditions(filters: Filters, branch: Sequence[UUID] | None) -> tuple[Condition, ...]:
    """Return the filters as conditions on a row; `branch` is the category with its subtree.

    Attributes are conditions on words, which the caller adds.
    """
    found: list[Condition] = []
    if branch is not None:
        names = {f"c{n}": category_id.bytes for n, category_id in enumerate(branch)}
        listed = ", ".join(f"%({name})s" for name in names) or "NULL"
        found.append(Condition(f"category_id IN ({listed})", names))
    if filters.seller_id is not None:
        found.append(Condition("seller_id = %(seller)s", {"seller": filters.seller_id.bytes}))
    if filters.min_price is not None:
        found.append(Condition("price_minor >= %(lowest)s", {"lowest": filters.min_price}))
    if filters.max_price is not None:
        found.append(Condition("price_minor <= %(highest)s", {"highest": filters.max_price}))
    if filters.min_rating is not None:
        found.append(Condition("rating >= %(rating)s", {"rating": filters.min_rating}))
    if filters.in_stock:
        found.append(Condition("in_stock"))
    return tuple(found)


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

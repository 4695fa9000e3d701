"""Finding products by their words, in the compact copies that search keeps of them.

The cost of a search is bounded: full text reads the rarest words alone, the others are looked for
in the rows it gives, and no more than `limit` rows are read (ADR 0018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from catalog_service.models.search_text import stem_of
from catalog_service.queries.search_conditions import Condition, VariantConditions
from catalog_service.schemas.search import (
    NEWEST,
    PRICE,
    PRICE_DOWN,
    RATING,
    RELEVANCE,
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
    "IGNORE INDEX FOR ORDER BY (PRIMARY, ix_search_documents_price, ix_search_documents_stocked,"
    " ix_search_documents_rating)"
)
_MATCH: Final = "MATCH (words) AGAINST (%(expression)s IN BOOLEAN MODE)"
_COLUMNS: Final = (
    "product_id, category_id, seller_id, price_minor, CAST(100 * rating AS SIGNED), sold,"
    " in_stock, highest_minor, attributes, variants"
)

# Of the other forms of a word, more than these say little.
_MOST_FORMS: Final = 6

# Columns of a candidate, its score included; what is selected behind them are flags.
_FLAGS: Final = 11


_NO_SCORE: Final = Condition("0")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a statement looks for: full text, row conditions, and the score of a row."""

    expression: str
    conditions: tuple[Condition, ...] = ()
    score: Condition = _NO_SCORE

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

    Ids are bytes; `attributes` and `variants` are JSON, the latter [price, 1 if in stock,
    attributes] of each. Copies of the release before have neither variants nor a highest price.
    """

    product: bytes
    category: bytes
    seller: bytes | None
    price_minor: int
    rating_hundredths: int
    sold: int
    is_in_stock: int
    highest_minor: int | None
    attributes: str
    variants: str | None
    score: int

    def value(self, sort: str, price_minor: int) -> tuple[int, ...]:
        """Return what the order of `sort` goes by, before the id; its price is the one given."""
        if sort == RELEVANCE:
            return self.score, self.sold
        if sort == RATING:
            return (self.rating_hundredths,)
        return () if sort == NEWEST else (price_minor,)

    def position(self, sort: str, price_minor: int) -> Position:
        return Position(self.value(sort, price_minor), UUID(bytes=self.product))


@dataclass(frozen=True, slots=True)
class Known:
    """What the shop has of a word: in how many names and texts it stands, and its other forms.

    `forms` are words of the same stem that a search for the word does not find anyway.
    """

    names: int = 0
    texts: int = 0
    forms: tuple[str, ...] = ()


async def known_words(session: AnySession, words: Sequence[tuple[str, bool]]) -> dict[str, Known]:
    """Return what the shop has of each word, in one statement.

    A word comes with whether its beginnings count: then all words that begin so are summed.
    """
    if not words:
        return {}
    parts: list[str] = []
    values: dict[str, Any] = {}
    for n, (word, is_begun) in enumerate(words):
        same = f"word >= %(w{n})s AND word < %(e{n})s" if is_begun else f"word = %(w{n})s"
        # Behind every letter, digit and underscore comes the tilde.
        values |= {f"w{n}": word, f"e{n}": word + "~", f"s{n}": stem_of(word)}
        parts.append(
            f"SELECT {n}, '', COALESCE(SUM(name_count), 0), COALESCE(SUM(text_count), 0)"  # noqa: S608
            f" FROM search_words WHERE {same}"
        )
        parts.append(
            f"(SELECT {n}, word, name_count, text_count FROM search_words"  # noqa: S608
            f" WHERE stem = %(s{n})s AND NOT ({same}) AND name_count + text_count > 0"
            f" ORDER BY name_count DESC, word LIMIT {_MOST_FORMS})"
        )
    found = {word: Known() for word, _ in words}
    for n, form, names, texts in await _rows(session, " UNION ALL ".join(parts), values):
        word, before = words[n][0], found[words[n][0]]
        forms = (*before.forms, form) if form else before.forms
        found[word] = Known(before.names + int(names), before.texts + int(texts), forms)
    return found


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
    session: AnySession,
    wanted: Wanted,
    *,
    sort: str,
    after: Position | None,
    limit: int,
    price: str = "price_minor",
    are_few: bool = True,
) -> list[Candidate]:
    """Return the next products in the order of `sort`; `price` is the expression of their price.

    Where they `are_few`, as full text gives them, they are put in order by ids alone: to sort the
    rows would copy their words. Else an index of the order may be walked along.
    """
    (column,) = _KEYS[sort] or ("product_id",)
    key = price if column == "price_minor" else column
    where, values = wanted.where(), wanted.values()
    if after is not None:
        where += f" AND {_beyond(sort, key)}"
        values |= _position_values(sort, after)
    hint = _SORT_ROWS if are_few else ""
    select = (
        f"SELECT {_COLUMNS}, {wanted.score.sql} FROM search_documents JOIN"  # noqa: S608
        f" (SELECT product_id, {key} AS sort_key FROM search_documents {hint} WHERE {where}"
        f" ORDER BY {_directed(sort, 'sort_key')} LIMIT %(row_limit)s) page USING (product_id)"
        f" ORDER BY {_directed(sort, 'sort_key')}"
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
    (column,) = _KEYS[sort] or ("product_id",)
    beyond = "1" if after is None else _beyond(sort, column)
    values: dict[str, Any] = {} if after is None else _position_values(sort, after)
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
    return _directed(sort, column)


def _directed(sort: str, key: str) -> str:
    direction = "ASC" if sort == PRICE else "DESC"
    return ", ".join(f"{end} {direction}" for end in dict.fromkeys((key, "product_id")))


async def near_misses(
    session: AnySession,
    words: Wanted,
    products: Mapping[str, Condition],
    variants: VariantConditions,
    *,
    window: int,
    limit: int,
) -> dict[str, list[Candidate]]:
    """Return the products that only one filter keeps out, by the facet it belongs to.

    That is what a facet counts besides what was found; variants may miss by one filter each, and
    their product is then returned for several. Of the products with these words no more than
    `window` are read, those that full text ranks highest.
    """
    flags = "".join(f", {each.sql} IS TRUE AS f{n}" for n, each in enumerate(products.values()))
    passed = " + ".join(f"f{n}" for n in range(len(products))) or "0"
    order = f" ORDER BY {_MATCH} DESC" if words.expression else ""
    select = (
        f"SELECT * FROM (SELECT {_COLUMNS}, 0, {variants.misses()} AS missed{flags}"  # noqa: S608
        f" FROM search_documents WHERE {words.where()}{order} LIMIT %(window)s) looked"
        f" WHERE ({passed} = {len(products)} AND missed > 1 AND (missed & 1) = 0)"
        f" OR ({passed} = {len(products) - 1} AND (missed & 1) = 1) LIMIT %(row_limit)s"
    )
    values = {**words.values(), **variants.values(), "window": window, "row_limit": limit}
    for each in products.values():
        values |= each.values
    found: dict[str, list[Candidate]] = {facet: [] for facet in (*products, *variants.facets)}
    for row in await _rows(session, select, values):
        candidate = Candidate._make(row[:_FLAGS])
        for facet in _missed_by(row[_FLAGS], row[_FLAGS + 1 :], list(products), variants.facets):
            found[facet].append(candidate)
    return found


def _missed_by(
    missed: int, passed: Sequence[int], products: Sequence[str], variants: Sequence[str]
) -> list[str]:
    """Name the facets whose filter alone keeps a product out; none where it was found."""
    if 0 in passed:
        return [products[list(passed).index(0)]]
    if missed & 1:
        return []
    return [facet for n, facet in enumerate(variants) if missed & (2 << n)]


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


async def _rows(session: AnySession, statement: str, values: Mapping[str, Any]) -> Sequence[Any]:
    """Run a statement by the driver: Core would cost as much again to understand it."""
    connection = await session.connection()
    return (await connection.exec_driver_sql(statement, dict(values))).all()


def _beyond(sort: str, key: str) -> str:
    """Written so that MySQL can use a range of the index: it does not for (a, b) < (x, y)."""
    if sort == NEWEST:
        return "product_id < %(after_id)s"
    sign = ">" if sort == PRICE else "<"
    return (
        f"{key} {sign}= %(after_value)s"
        f" AND ({key} {sign} %(after_value)s OR product_id {sign} %(after_id)s)"
    )


def _position_values(sort: str, after: Position) -> dict[str, Any]:
    values: dict[str, Any] = {"after_id": after.product_id.bytes}
    if sort == RATING:
        values["after_value"] = Decimal(after.value[0]) / 100
    elif sort != NEWEST:
        values["after_value"] = after.value[0]
    return values

"""Search on MySQL: full text over compact copies, and a dictionary of the shop's words."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from catalog_service.models.search_text import Term
from catalog_service.queries import search as queries
from catalog_service.queries.search import Candidate, Known
from catalog_service.schemas.search import (
    PRICE,
    PRICE_DOWN,
    RELEVANCE,
    FacetCounts,
    Filters,
    Found,
    Position,
    Suggestion,
    price_steps_of,
)
from catalog_service.services.search import counting, suggesting
from catalog_service.services.search.backend import Query
from catalog_service.services.search.plan import (
    COMMON,
    Counts,
    Plan,
    is_prefix,
    name_of_common,
    plan,
    without_full_text,
)
from catalog_service.services.search.variants import Judge
from common_lib.database import AnySession, Database

# No more products than this are read, ranked and counted for one search.
LOOKED_AT: Final = 250
# Of so many products with the words of a search its facets look for what one filter kept out.
_WINDOW: Final = 1_000
# Fewer than this are sorted; of more, so many steps along the index of the order have a page.
_SORTED: Final = 5_000
_STEPS: Final = 2_000
_COUNTS_KEPT_S: Final = 60.0
_MAX_COUNTS_KEPT: Final = 5_000


class MySqlSearch:
    """The default backend."""

    def __init__(self, database: Database, *, currency: str) -> None:
        self._database = database
        self._steps = price_steps_of(currency)
        self._counts: dict[str, tuple[float, Known]] = {}

    async def find(self, query: Query) -> Found:
        """Return one page and the facets. Raises Unavailable."""
        if not query.terms or query.branch == ():
            return Found()
        async with self._database.read() as session:
            counts = await self._word_counts(session, query.terms)
            planned, rows = await _looked_at(session, query, counts)
            facets = await _facets(session, planned, rows, self._steps)
            is_all = len(rows) <= LOOKED_AT
            page = await _page(session, query, planned, rows, is_all=is_all)
        shown = page[: query.limit]
        has_more = len(page) > query.limit
        return Found(
            product_ids=[UUID(bytes=row.product) for row in shown],
            end=_end(query, planned, shown[-1]) if has_more else None,
            total=min(len(rows), LOOKED_AT),
            is_exact=is_all and planned.is_whole,
            facets=facets,
        )

    async def suggest(self, terms: Sequence[Term], *, limit: int) -> Sequence[Suggestion]:
        """Return completions of the last term, one typo forgiven. Raises Unavailable."""
        async with self._database.read() as session:
            return await suggesting.suggest(session, terms, limit=limit)

    async def _word_counts(self, session: AnySession, terms: Sequence[Term]) -> Counts:
        """Return how common the words are, as of a minute ago at most; what is new, of now."""
        now = time.monotonic()
        words = {word for term in terms for word in (term.whole, *term.parts)}
        kept = {word: self._counts[word] for word in words if word in self._counts}
        found = {word: counts for word, (until, counts) in kept.items() if until > now}
        missing = [(word, is_prefix(word)) for word in sorted(words - found.keys())]
        fresh = await queries.known_words(session, missing)
        if len(self._counts) > _MAX_COUNTS_KEPT:
            self._counts.clear()
        self._counts |= {
            word: (now + _COUNTS_KEPT_S, known) for word, known in fresh.items() if known != Known()
        }
        return found | fresh


async def _looked_at(
    session: AnySession, query: Query, counts: Counts
) -> tuple[Plan, list[Candidate]]:
    """Return what matches, one more than is looked at where there is more."""
    planned = plan(query, counts)
    named = name_of_common(query, planned, counts) if planned.size > COMMON else None
    if named is not None:
        rows = await queries.best_sold(session, named, planned.words.score, limit=LOOKED_AT + 1)
        if len(rows) > LOOKED_AT:
            return planned, rows
    if await _is_filter_shorter(session, planned):
        wanted = without_full_text(query, counts)
        planned = replace(planned, wanted=wanted, walked=wanted, is_whole=True)
    rows = await queries.candidates(session, planned.wanted, limit=LOOKED_AT + 1)
    if not rows and not planned.is_whole and query.filters == Filters():
        return await _looked_at_everywhere(session, query, counts)
    return planned, rows


async def _looked_at_everywhere(
    session: AnySession, query: Query, counts: Counts
) -> tuple[Plan, list[Candidate]]:
    """Look where no name has the words; very common ones only in what is sold most."""
    planned = plan(query, counts, is_whole=True)
    if planned.size <= _SORTED:
        return planned, await queries.candidates(session, planned.wanted, limit=LOOKED_AT + 1)
    planned = replace(planned, wanted=without_full_text(query, counts), is_whole=False)
    rows = await queries.walked(
        session,
        planned.wanted,
        sort=queries.BEST_SOLD,
        after=None,
        steps=_SORTED,
        limit=LOOKED_AT + 1,
    )
    return planned, rows


async def _is_filter_shorter(session: AnySession, planned: Plan) -> bool:
    """Tell whether a filter lets fewer products pass than full text has to read and look up."""
    indexed = [*planned.products.values(), *planned.variants.bounds()]
    longest = planned.size * 3 // 4
    if not indexed or planned.size <= COMMON // 2:
        return False
    return await queries.fewest(session, indexed, below=longest) < longest


async def _facets(
    session: AnySession, planned: Plan, rows: Sequence[Candidate], steps: Sequence[int]
) -> FacetCounts:
    """Count what was looked at; a facet with a filter of its own counts what only that kept out."""
    shown, judge = rows[:LOOKED_AT], Judge(planned.variants)
    facets = counting.count(shown, judge, steps)
    if not planned.has_filters():
        return facets
    missed = await queries.near_misses(
        session,
        planned.words,
        planned.products,
        planned.variants,
        window=_WINDOW,
        limit=LOOKED_AT * (len(planned.products) + len(planned.variants.facets)),
    )
    for facet, others in missed.items():
        counting.merge(facets, facet, counting.count([*shown, *others], judge, steps))
    return facets


async def _page(
    session: AnySession, query: Query, planned: Plan, rows: list[Candidate], *, is_all: bool
) -> list[Candidate]:
    """Return the page and one more; what was not looked at is put in order by MySQL."""
    if is_all or query.sort == RELEVANCE:
        return _sorted_page(rows[:LOOKED_AT], query, Judge(planned.variants))
    sort, after, limit = query.sort, query.after, query.limit + 1
    if planned.size > _SORTED and not planned.has_filters():
        page = await queries.walked(
            session, planned.walked, sort=sort, after=after, steps=_STEPS, limit=limit
        )
        if len(page) == limit:
            return page
    price = planned.variants.price()
    return await queries.in_order(
        session, planned.wanted, sort=sort, after=after, limit=limit, price=price
    )


def _sorted_page(rows: Sequence[Candidate], query: Query, judge: Judge) -> list[Candidate]:
    sort, is_upwards = query.sort, query.sort == PRICE
    is_by_price = sort in {PRICE, PRICE_DOWN}
    keyed = sorted(
        (
            ((*row.value(sort, judge.price(row) if is_by_price else 0), row.product), row)
            for row in rows
        ),
        key=lambda pair: pair[0],
        reverse=not is_upwards,
    )
    if query.after is not None:
        end = (*query.after.value, query.after.product_id.bytes)
        keyed = [(at, row) for at, row in keyed if (at > end if is_upwards else at < end)]
    return [row for _, row in keyed[: query.limit + 1]]


def _end(query: Query, planned: Plan, last: Candidate) -> Position:
    return last.position(query.sort, Judge(planned.variants).price(last))

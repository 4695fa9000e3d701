"""Search on MySQL: full text over compact copies, and a dictionary of the shop's words."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from catalog_service.models.search_text import Term
from catalog_service.queries import search as queries
from catalog_service.queries.search import Candidate
from catalog_service.schemas.search import (
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    PRICE,
    RELEVANCE,
    FacetCounts,
    Filters,
    Found,
    Suggestion,
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
from common_lib.database import AnySession, Database

# No more products than this are read, ranked and counted for one search.
LOOKED_AT: Final = 250
# Of so many products with the words of a search its facets look for what one filter kept out.
_WINDOW: Final = 1_000
# Fewer than this are sorted; of more, so many steps along the index of the order have a page.
_SORTED: Final = 5_000
_STEPS: Final = 2_000
# Filters whose columns have an index of their own.
_INDEXED: Final = (BY_CATEGORY, BY_SELLER, BY_PRICE, BY_RATING)
_COUNTS_KEPT_S: Final = 60.0
_MAX_COUNTS_KEPT: Final = 5_000


class MySqlSearch:
    """The default backend."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, tuple[float, tuple[int, int]]] = {}

    async def find(self, query: Query) -> Found:
        """Return one page and the facets. Raises Unavailable."""
        if not query.terms or query.branch == ():
            return Found()
        async with self._database.read() as session:
            counts = await self._word_counts(session, query.terms)
            planned, rows = await _looked_at(session, query, counts)
            facets = await _facets(session, planned, rows)
            is_all = len(rows) <= LOOKED_AT
            page = await _page(session, query, planned, rows, is_all=is_all)
        total = min(len(rows), LOOKED_AT)
        return _found(query, page, total, is_exact=is_all and planned.is_whole, facets=facets)

    async def suggest(self, terms: Sequence[Term], *, limit: int) -> Sequence[Suggestion]:
        """Return completions of the last term, one typo forgiven. Raises Unavailable."""
        async with self._database.read() as session:
            return await suggesting.suggest(session, terms, limit=limit)

    async def _word_counts(self, session: AnySession, terms: Sequence[Term]) -> Counts:
        """Return how common the words are, as of a minute ago at most."""
        now = time.monotonic()
        words = {word for term in terms for word in (term.whole, *term.parts)}
        kept = {word: self._counts[word] for word in words if word in self._counts}
        found = {word: counts for word, (until, counts) in kept.items() if until > now}
        missing = [(word, is_prefix(word)) for word in sorted(words - found.keys())]
        fresh = await queries.word_counts(session, missing)
        if len(self._counts) > _MAX_COUNTS_KEPT:
            self._counts.clear()
        self._counts |= {word: (now + _COUNTS_KEPT_S, counts) for word, counts in fresh.items()}
        return found | fresh


async def _looked_at(
    session: AnySession, query: Query, counts: Counts
) -> tuple[Plan, list[Candidate]]:
    """Return what matches, one more than is looked at where there is more."""
    planned = plan(query, counts)
    named = name_of_common(query, planned) if planned.size > COMMON else None
    if named is not None:
        rows = await queries.best_sold(session, named, planned.words.score, limit=LOOKED_AT + 1)
        if len(rows) > LOOKED_AT:
            return planned, rows
    if await _is_filter_shorter(session, planned):
        wanted = without_full_text(query)
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
    planned = replace(planned, wanted=without_full_text(query), is_whole=False)
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
    indexed = [planned.filters[facet] for facet in _INDEXED if facet in planned.filters]
    longest = planned.size * 3 // 4
    if not indexed or planned.size <= COMMON // 2:
        return False
    return await queries.fewest(session, indexed, below=longest) < longest


async def _facets(session: AnySession, planned: Plan, rows: Sequence[Candidate]) -> FacetCounts:
    """Count what was looked at; a facet with a filter of its own counts what only that kept out."""
    shown = rows[:LOOKED_AT]
    facets = counting.count(shown)
    if not planned.filters:
        return facets
    missed = await queries.near_misses(
        session,
        planned.words,
        planned.filters,
        window=_WINDOW,
        limit=LOOKED_AT * len(planned.filters),
    )
    for facet, others in missed.items():
        counting.merge(facets, facet, counting.count([*shown, *others]))
    return facets


async def _page(
    session: AnySession, query: Query, planned: Plan, rows: list[Candidate], *, is_all: bool
) -> list[Candidate]:
    """Return the page and one more; what was not looked at is put in order by MySQL."""
    if is_all or query.sort == RELEVANCE:
        return _sorted_page(rows[:LOOKED_AT], query)
    sort, after, limit = query.sort, query.after, query.limit + 1
    if planned.size > _SORTED and not planned.filters:
        page = await queries.walked(
            session, planned.walked, sort=sort, after=after, steps=_STEPS, limit=limit
        )
        if len(page) == limit:
            return page
    return await queries.in_order(session, planned.wanted, sort=sort, after=after, limit=limit)


def _sorted_page(rows: Sequence[Candidate], query: Query) -> list[Candidate]:
    is_upwards = query.sort == PRICE
    keyed = sorted(
        (((*row.value(query.sort), row.product), row) for row in rows),
        key=lambda pair: pair[0],
        reverse=not is_upwards,
    )
    if query.after is not None:
        end = (*query.after.value, query.after.product_id.bytes)
        keyed = [(at, row) for at, row in keyed if (at > end if is_upwards else at < end)]
    return [row for _, row in keyed[: query.limit + 1]]


def _found(
    query: Query, page: list[Candidate], total: int, *, is_exact: bool, facets: FacetCounts
) -> Found:
    shown = page[: query.limit]
    has_more = len(page) > query.limit
    return Found(
        product_ids=[UUID(bytes=row.product) for row in shown],
        end=shown[-1].position(query.sort) if has_more else None,
        total=total,
        is_exact=is_exact,
        facets=facets,
    )

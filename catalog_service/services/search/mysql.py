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
    plan,
    without_full_text,
)
from common_lib.database import AnySession, Database

# No more products than this are read, ranked and counted for one search.
LOOKED_AT: Final = 250
# Fewer than this are sorted; of more, a walk along the index of the order soon has a page.
_SORTED: Final = 5_000
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
            facets = await _facets(session, query, rows, counts)
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
    if await _is_branch_shorter(session, query, planned):
        wanted = without_full_text(query, planned)
        planned = replace(planned, wanted=wanted, is_whole=True)
    rows = await queries.candidates(session, planned.wanted, limit=LOOKED_AT + 1)
    if not rows and not planned.is_whole and query.filters == Filters():
        planned = plan(query, counts, is_whole=True)
        rows = await queries.candidates(session, planned.wanted, limit=LOOKED_AT + 1)
    return planned, rows


async def _is_branch_shorter(session: AnySession, query: Query, planned: Plan) -> bool:
    """Tell whether the category holds fewer products than full text has entries to read."""
    if not query.branch or planned.size <= COMMON // 2:
        return False
    return await queries.documents_in(session, query.branch) < planned.size


async def _facets(
    session: AnySession, query: Query, rows: Sequence[Candidate], counts: Counts
) -> FacetCounts:
    """Count what was looked at; a facet with a filter of its own looks without that filter."""
    facets = counting.count(rows[:LOOKED_AT])
    for facet, filters in counting.without(query.filters).items():
        wider = replace(
            query, filters=filters, branch=query.branch if filters.category_id else None
        )
        _, found = await _looked_at(session, wider, counts)
        counting.merge(facets, facet, counting.count(found[:LOOKED_AT]))
    return facets


async def _page(
    session: AnySession, query: Query, planned: Plan, rows: list[Candidate], *, is_all: bool
) -> list[Candidate]:
    """Return the page and one more; what was not looked at is put in order by MySQL."""
    if is_all or query.sort == RELEVANCE:
        return _sorted_page(rows[:LOOKED_AT], query)
    is_walk = planned.size > _SORTED
    return await queries.in_order(
        session,
        without_full_text(query, planned) if is_walk else planned.wanted,
        sort=query.sort,
        after=query.after,
        limit=query.limit + 1,
    )


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

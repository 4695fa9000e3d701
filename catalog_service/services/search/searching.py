"""A search from the words typed to the page shown, whichever backend finds the products."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter

from catalog_service.models.search_text import STOP_WORDS, Term, query_terms
from catalog_service.queries import names
from catalog_service.schemas.search import (
    NEWEST,
    RELEVANCE,
    Filters,
    Found,
    PageRequest,
    Position,
    Suggestion,
    Suggestions,
)
from catalog_service.services.search.backend import Query, SearchBackend
from catalog_service.services.search.facets import facets_out, most
from catalog_service.services.search.items import dump, shown_items
from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.database import Database
from common_lib.errors import Unavailable
from common_lib.money import MAX_MINOR

log = structlog.get_logger(__name__)

FALLBACKS = Counter("search_fallbacks_total", "Searches MySQL answered in Elasticsearch's place")
MAX_SUGGESTIONS: Final = 8
_TREE_KEPT_S: Final = 30.0

T = TypeVar("T")


class Searcher:
    """Answers searches; where the backend fails, `fallback` answers, and nobody sees an error."""

    def __init__(
        self,
        database: Database,
        backend: SearchBackend,
        fallback: SearchBackend,
        *,
        currency: str,
    ) -> None:
        self._database = database
        self._backend = backend
        self._fallback = fallback
        self._currency = currency
        self._tree: tuple[float, Mapping[UUID, names.CategoryName]] = (0.0, {})

    async def search(self, text: str, filters: Filters, request: PageRequest) -> bytes | None:
        """Return a `SearchPage` as bytes, None where nothing at all is found.

        Raises InvalidCursor, and Unavailable without MySQL. The number of statements does
        not depend on how many products are found.
        """
        after = _after(request)
        terms = query_terms(text)
        tree = await self._categories()
        branch = None if filters.category_id is None else _branch(tree, filters.category_id)
        query = Query(terms, filters, request.sort, request.limit, after, branch)
        found = await self._first_answer(lambda backend: backend.find(query))
        return None if found.is_nothing() else await self._shown(found, request, tree)

    async def suggest(self, text: str) -> Suggestions:
        """Return completions. Raises Unavailable without MySQL."""
        terms = query_terms(text, is_begun=True)
        items = await self._suggested(terms)
        if not items and terms and terms[-1].whole in STOP_WORDS:
            items = await self._suggested(terms[:-1])
        return Suggestions(items=tuple(items))

    async def _suggested(self, terms: Sequence[Term]) -> Sequence[Suggestion]:
        if not terms:
            return ()
        return await self._first_answer(
            lambda backend: backend.suggest(terms, limit=MAX_SUGGESTIONS)
        )

    def forget_categories(self) -> None:
        """Read the category tree anew at the next search; for a process that has changed it."""
        self._tree = (0.0, {})

    async def _first_answer(self, ask: Callable[[SearchBackend], Awaitable[T]]) -> T:
        if self._backend is self._fallback:
            return await ask(self._fallback)
        try:
            return await ask(self._backend)
        except Unavailable as error:
            FALLBACKS.inc()
            log.warning("search.fallback", reason=error.detail)
        return await ask(self._fallback)

    async def _shown(
        self, found: Found, request: PageRequest, tree: Mapping[UUID, names.CategoryName]
    ) -> bytes:
        counts = found.facets
        async with self._database.read() as session:
            items = await shown_items(session, found.product_ids)
            stores = await names.store_names(session, most(counts.sellers))
        categories = {each: tree[each].name for each in counts.categories if each in tree}
        return dump(
            {
                "items": items,
                "nextCursor": None if found.end is None else _cursor(request.sort, found.end),
                "facets": facets_out(counts, categories, stores, self._currency),
                "total": found.total,
                "totalRelation": "eq" if found.is_exact else "gte",
            }
        )

    async def _categories(self) -> Mapping[UUID, names.CategoryName]:
        """Return the tree, at most half a minute old."""
        until, tree = self._tree
        if until < time.monotonic():
            async with self._database.read() as session:
                tree = await names.category_names(session)
            self._tree = (time.monotonic() + _TREE_KEPT_S, tree)
        return tree


def _branch(tree: Mapping[UUID, names.CategoryName], root: UUID) -> tuple[UUID, ...]:
    children: defaultdict[UUID | None, list[UUID]] = defaultdict(list)
    for category_id, category in tree.items():
        children[category.parent_id].append(category_id)
    found = [root] if root in tree else []
    for category_id in found:
        found += children[category_id]
    return tuple(found)


def _cursor(sort: str, end: Position) -> str:
    return encode_cursor(sort, ".".join(map(str, end.value)), end.product_id)


def _after(request: PageRequest) -> Position | None:
    """Read the cursor. Raises InvalidCursor, also for a number that no product could have."""
    if request.cursor is None:
        return None
    value, product_id = decode_cursor(request.cursor, request.sort)
    parts = [part for part in str(value or "").split(".") if part]
    length = {RELEVANCE: 2, NEWEST: 0}.get(request.sort, 1)
    if len(parts) != length or not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidCursor
    if any(len(part) > len(str(MAX_MINOR)) for part in parts):
        raise InvalidCursor
    return Position(tuple(map(int, parts)), product_id)

"""What every search backend can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from catalog_service.models.search_text import Term
from catalog_service.schemas.search import Filters, Found, Position, Suggestion


@dataclass(frozen=True, slots=True)
class Query:
    """A search, understood: every term is required, and every filter.

    `branch` is the category filter with its subtree; empty for a category that does not exist.
    """

    terms: tuple[Term, ...]
    filters: Filters
    sort: str
    limit: int
    after: Position | None = None
    branch: tuple[UUID, ...] | None = None


class SearchBackend(Protocol):
    """Finds ids; what is shown of the products is read from MySQL, whoever found them."""

    async def find(self, query: Query) -> Found:
        """Return one page and the facets. Raises Unavailable."""

    async def suggest(self, terms: Sequence[Term], *, limit: int) -> Sequence[Suggestion]:
        """Return completions of the last term, one typo forgiven. Raises Unavailable."""

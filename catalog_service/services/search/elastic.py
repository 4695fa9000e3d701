"""Search on Elasticsearch: its answers, and what is made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from catalog_service.clients.elasticsearch import ElasticsearchClient
from catalog_service.models.search_text import Term, decode, stem_of
from catalog_service.queries.suggest import NamedProduct
from catalog_service.schemas.search import (
    RATING_STEPS,
    FacetCounts,
    Filters,
    Found,
    Position,
    Suggestion,
    price_steps_of,
)
from catalog_service.services.search import counting, typos
from catalog_service.services.search.backend import Query
from catalog_service.services.search.elastic_bodies import SEPARATOR, search_body, suggest_body
from catalog_service.services.search.suggesting import together
from catalog_service.services.search.variants import conditions_of
from common_lib.errors import Unavailable

_MOST_WORDS: Final = 3


class ElasticSearch:
    """The backend for many millions of products; MySQL answers when it does not."""

    def __init__(self, client: ElasticsearchClient, *, currency: str) -> None:
        self._client = client
        self._steps = price_steps_of(currency)

    async def find(self, query: Query) -> Found:
        """Return one page and the facets. Raises Unavailable."""
        if not query.terms or query.branch == ():
            return Found()
        answer = await self._client.search(search_body(query, self._steps))
        try:
            return _found(query, answer, self._steps)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Unavailable("Elasticsearch answered nonsense", retry_after_s=1) from None

    async def suggest(self, terms: Sequence[Term], *, limit: int) -> Sequence[Suggestion]:
        """Return completions of the last term, one typo forgiven. Raises Unavailable."""
        words = [word for term in terms for word in term.words]
        for is_forgiving in (False, True):
            answer = await self._client.search(suggest_body(words, is_forgiving=is_forgiving))
            try:
                hits = [hit["_source"] for hit in answer["hits"]["hits"]]
                if hits:
                    return _suggestions(words, hits, limit)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Unavailable("Elasticsearch answered nonsense", retry_after_s=1) from None
        return []


def _found(query: Query, answer: Mapping[str, Any], steps: Sequence[int]) -> Found:
    hits = answer["hits"]["hits"]
    shown = hits[: query.limit]
    total = answer["hits"]["total"]
    return Found(
        product_ids=[UUID(hex=hit["_id"]) for hit in shown],
        end=_position(shown[-1]) if len(hits) > query.limit else None,
        total=int(total["value"]),
        is_exact=total["relation"] == "eq",
        facets=_counts(query.filters, answer["aggregations"], steps),
    )


def _position(hit: Mapping[str, Any]) -> Position:
    *value, _ = hit["sort"]
    return Position(tuple(int(each) for each in value), UUID(hex=hit["_id"]))


def _counts(filters: Filters, found: Mapping[str, Any], steps: Sequence[int]) -> FacetCounts:
    prices = _of_variants(found["prices"])
    counts = FacetCounts(
        categories=_by_id(found["categories"]),
        sellers=_by_id(found["sellers"]),
        lowest_price=int(prices["min"]) if prices["count"] else None,
        highest_price=int(prices["max"]) if prices["count"] else None,
        price_steps=_in_order(_of_variants(found["price_steps"])["buckets"], steps),
        rating_steps=_in_order(
            found["ratings"]["found"]["buckets"], [100 * step for step in RATING_STEPS]
        ),
        in_stock=_products(_of_variants(found["stock"])),
        attributes=_attributes(found["values"]),
    )
    for facet in conditions_of(filters).tokens:
        counting.merge(counts, facet, FacetCounts(attributes=_attributes(found[facet])))
    return counts


def _of_variants(facet: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = facet["variants"]["passing"]["found"]
    return found


def _products(bucket: Mapping[str, Any]) -> int:
    """Return how many products a bucket has: of variants where it counts them, else its own."""
    return int(bucket.get("products", bucket)["doc_count"])


def _by_id(facet: Mapping[str, Any]) -> dict[UUID, int]:
    return {UUID(hex=each["key"]): each["doc_count"] for each in facet["found"]["buckets"]}


def _in_order(buckets: Sequence[Mapping[str, Any]], starts: Sequence[int]) -> list[int]:
    counts = {int(each["from"]): _products(each) for each in buckets}
    return [counts[start] for start in starts]


def _attributes(facet: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for each in _of_variants(facet)["buckets"]:
        name, _, value = each["key"].partition(SEPARATOR)
        pairs[name, value] = _products(each)
    return counting.grouped(pairs)


def _suggestions(
    words: Sequence[str], hits: Sequence[Mapping[str, Any]], limit: int
) -> list[Suggestion]:
    products = [
        NamedProduct(
            UUID(hex=hit["id"]), str(hit["label"]), str(hit["slug"]), UUID(hex=hit["category"])
        )
        for hit in hits
    ]
    texts: Counter[str] = Counter()
    if len(words) == 1:
        for hit in hits:
            texts.update({w for w in hit["title"].split() if _completes(words[0], w)})
    best = sorted(texts, key=lambda word: (-texts[word], word))[:_MOST_WORDS]
    return together([Suggestion(text=decode(word)) for word in best], products, limit)


def _completes(typed: str, word: str) -> bool:
    if typos.can_be_mistyped(typed) and typos.is_near(typed, word):
        return True
    return word.startswith(typed) or stem_of(word) == stem_of(typed)

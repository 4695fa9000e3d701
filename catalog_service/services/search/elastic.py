"""Search on Elasticsearch: the same words, scores and orders as on MySQL."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from catalog_service.clients.elasticsearch import ElasticsearchClient
from catalog_service.models.search_text import NAME_FIELD, TEXT_FIELD, Term, decode
from catalog_service.queries.search_index import Document
from catalog_service.queries.suggest import NamedProduct
from catalog_service.schemas.search import (
    ATTRIBUTE,
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    BY_STOCK,
    MAX_FACET_VALUES,
    NEWEST,
    PRICE,
    PRICE_DOWN,
    PRICE_STEPS,
    RATING,
    RATING_STEPS,
    RELEVANCE,
    FacetCounts,
    Filters,
    Found,
    Position,
    Suggestion,
)
from catalog_service.services.search import counting, typos
from catalog_service.services.search.backend import Query
from catalog_service.services.search.plan import ATTRIBUTE_FIELD, attribute_token, is_prefix
from catalog_service.services.search.suggesting import together
from common_lib.errors import Unavailable

Json = dict[str, Any]

_KEYWORD: Final[Json] = {"type": "keyword"}
_WORDS: Final[Json] = {"type": "text", "analyzer": "whitespace"}
_SHOWN: Final[Json] = {"type": "keyword", "index": False, "doc_values": False}
INDEX: Final[Json] = {
    "mappings": {
        "dynamic": "strict",
        "properties": {
            **dict.fromkeys(("id", "category", "seller", "tokens", "values", "starts"), _KEYWORD),
            **dict.fromkeys(("name", "title", "text"), _WORDS),
            **dict.fromkeys(("label", "slug"), _SHOWN),
            "price": {"type": "long"},
            "rating": {"type": "integer"},
            "sold": {"type": "integer"},
            "stock": {"type": "boolean"},
        },
    }
}
_SORTS: Final[Mapping[str, list[Json]]] = {
    RELEVANCE: [{"_score": "desc"}, {"sold": "desc"}, {"id": "desc"}],
    PRICE: [{"price": "asc"}, {"id": "asc"}],
    PRICE_DOWN: [{"price": "desc"}, {"id": "desc"}],
    RATING: [{"rating": "desc"}, {"id": "desc"}],
    NEWEST: [{"id": "desc"}],
}
_COUNTED: Final = 10_000
_VALUES: Final = 500
_LONGEST_START: Final = 12
_LOOKED_AT: Final = 100
_MOST_WORDS: Final = 3
# Between an attribute's name and its value in the facet's key; no text may hold it.
_SEPARATOR: Final = "\x00"


class ElasticSearch:
    """The backend for many millions of products; MySQL answers when it does not."""

    def __init__(self, client: ElasticsearchClient) -> None:
        self._client = client

    async def find(self, query: Query) -> Found:
        """Return one page and the facets. Raises Unavailable."""
        if not query.terms or query.branch == ():
            return Found()
        answer = await self._client.search(search_body(query))
        try:
            return _found(query, answer)
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


def source_of(document: Document) -> Json:
    """Return the document as Elasticsearch keeps it."""
    fields: dict[str, list[str]] = {}
    for token in document.words:
        fields.setdefault(token[:2], []).append(token[2:])
    titles = fields.get(NAME_FIELD, [])
    return {
        "id": document.product_id.hex,
        "category": document.category_id.hex,
        "seller": document.seller_id.hex if document.seller_id else None,
        "price": document.price_minor,
        "rating": document.rating_hundredths,
        "sold": document.sold,
        "stock": document.is_in_stock,
        "name": " ".join(document.names),
        "title": " ".join(titles),
        "text": " ".join(fields.get(TEXT_FIELD, [])),
        "tokens": [ATTRIBUTE_FIELD + token for token in fields.get(ATTRIBUTE_FIELD, [])],
        "values": [
            f"{name}{_SEPARATOR}{value}"
            for name, values in document.attributes.items()
            for value in values
        ],
        "starts": sorted({start for word in titles for start in _starts(word)}),
        "label": document.label,
        "slug": document.slug,
    }


def search_body(query: Query) -> Json:
    """Return the request: filters after the facets, each facet under the filters of the others."""
    filters = _filters(query.filters, query.branch)
    body: Json = {
        "size": query.limit + 1,
        "_source": False,
        "track_scores": True,
        "track_total_hits": _COUNTED,
        "query": {"bool": {"must": [_scored(term) for term in query.terms]}},
        "post_filter": _all(list(filters.values())),
        "sort": _SORTS[query.sort],
        "aggs": {
            name: {"filter": _all(_others(filters, own)), "aggs": {"found": aggregation}}
            for name, (own, aggregation) in _facets(query.filters).items()
        },
    }
    if query.after is not None:
        body["search_after"] = [*query.after.value, query.after.product_id.hex]
    return body


def suggest_body(words: Sequence[str], *, is_forgiving: bool) -> Json:
    """Return the request for products with all these words, the last of them begun."""
    *before, last = words
    musts = [_word(word, is_forgiving=is_forgiving) for word in before]
    musts.append(_start(last, is_forgiving=is_forgiving))
    return {
        "size": _LOOKED_AT,
        "_source": ["id", "category", "title", "label", "slug"],
        "query": {"bool": {"filter": musts}},
        "sort": [{"sold": "desc"}, {"id": "desc"}],
    }


def _scored(term: Term) -> Json:
    """Score like MySQL's rows do: the best of four levels, and nothing about other documents."""
    levels = (("name", True, 4), ("name", False, 3), ("title", False, 2), ("text", False, 1))
    choices = [
        {"constant_score": {"filter": _holds(term, field, is_whole=is_whole), "boost": points}}
        for field, is_whole, points in levels
    ]
    return {"dis_max": {"queries": [*choices, _mixed(term)]}}


def _mixed(term: Term) -> Json:
    """Fit a word of several parts of which some stand in the title and some in the text."""
    parts = [_any([_one(part, "title"), _one(part, "text")]) for part in term.words]
    return {"constant_score": {"filter": _all(parts), "boost": 1}}


def _holds(term: Term, field: str, *, is_whole: bool) -> Json:
    whole = _one(term.whole, field, is_whole=is_whole)
    if not term.parts:
        return whole
    return _any([whole, _all([_one(part, field, is_whole=is_whole) for part in term.parts])])


def _one(word: str, field: str, *, is_whole: bool = False) -> Json:
    kind = "prefix" if is_prefix(word) and not is_whole else "term"
    return {kind: {field: {"value": word}}}


def _word(word: str, *, is_forgiving: bool) -> Json:
    exact = [_one(word, "title")]
    if is_forgiving and typos.can_be_mistyped(word):
        exact.append({"fuzzy": {"title": {"value": word, "fuzziness": 1}}})
    return _any(exact)


def _start(word: str, *, is_forgiving: bool) -> Json:
    exact: list[Json] = [{"prefix": {"title": {"value": word}}}]
    if is_forgiving and typos.can_be_mistyped(word):
        exact.append({"fuzzy": {"starts": {"value": word, "fuzziness": 1}}})
        exact.append({"fuzzy": {"title": {"value": word, "fuzziness": 1}}})
    return _any(exact)


def _filters(filters: Filters, branch: Sequence[UUID] | None) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if branch is not None:
        found[BY_CATEGORY] = {"terms": {"category": [each.hex for each in branch]}}
    if filters.seller_id is not None:
        found[BY_SELLER] = {"term": {"seller": filters.seller_id.hex}}
    bounds = {"gte": filters.min_price, "lte": filters.max_price}
    if given := {name: value for name, value in bounds.items() if value is not None}:
        found[BY_PRICE] = {"range": {"price": given}}
    if filters.min_rating is not None:
        found[BY_RATING] = {"range": {"rating": {"gte": 100 * filters.min_rating}}}
    if filters.in_stock:
        found[BY_STOCK] = {"term": {"stock": True}}
    for name, values in filters.values_by_attribute().items():
        tokens = [attribute_token(name, value) for value in values]
        found[f"{ATTRIBUTE}{name}"] = {"terms": {"tokens": tokens}}
    return found


def _facets(filters: Filters) -> dict[str, tuple[str, Json]]:
    """Return each facet: which filter is its own, and what it counts."""
    found: dict[str, tuple[str, Json]] = {
        "categories": (BY_CATEGORY, _terms("category", MAX_FACET_VALUES)),
        "sellers": (BY_SELLER, _terms("seller", MAX_FACET_VALUES)),
        "prices": (BY_PRICE, {"stats": {"field": "price"}}),
        "price_steps": (BY_PRICE, {"range": {"field": "price", "ranges": _price_ranges()}}),
        "ratings": (
            BY_RATING,
            {"range": {"field": "rating", "ranges": [{"from": 100 * s} for s in RATING_STEPS]}},
        ),
        "stock": (BY_STOCK, {"filter": {"term": {"stock": True}}}),
        "values": ("", _terms("values", _VALUES)),
    }
    for name in filters.values_by_attribute():
        found[f"{ATTRIBUTE}{name}"] = (
            f"{ATTRIBUTE}{name}",
            _terms("values", _VALUES),
        )
    return found


def _price_ranges() -> list[Json]:
    ends: list[int | None] = [*PRICE_STEPS[1:], None]
    return [
        {"from": lowest} if below is None else {"from": lowest, "to": below}
        for lowest, below in zip(PRICE_STEPS, ends, strict=True)
    ]


def _found(query: Query, answer: Mapping[str, Any]) -> Found:
    hits = answer["hits"]["hits"]
    shown = hits[: query.limit]
    total = answer["hits"]["total"]
    return Found(
        product_ids=[UUID(hex=hit["_id"]) for hit in shown],
        end=_position(shown[-1]) if len(hits) > query.limit else None,
        total=int(total["value"]),
        is_exact=total["relation"] == "eq",
        facets=_counts(query.filters, answer["aggregations"]),
    )


def _position(hit: Mapping[str, Any]) -> Position:
    *value, _ = hit["sort"]
    return Position(tuple(int(each) for each in value), UUID(hex=hit["_id"]))


def _counts(filters: Filters, found: Mapping[str, Any]) -> FacetCounts:
    prices = found["prices"]["found"]
    counts = FacetCounts(
        categories=_by_id(found["categories"]),
        sellers=_by_id(found["sellers"]),
        lowest_price=int(prices["min"]) if prices["count"] else None,
        highest_price=int(prices["max"]) if prices["count"] else None,
        price_steps=_in_order(found["price_steps"], PRICE_STEPS),
        rating_steps=_in_order(found["ratings"], [100 * step for step in RATING_STEPS]),
        in_stock=int(found["stock"]["found"]["doc_count"]),
        attributes=_attributes(found["values"]),
    )
    for name in filters.values_by_attribute():
        facet = f"{ATTRIBUTE}{name}"
        counting.merge(counts, facet, FacetCounts(attributes=_attributes(found[facet])))
    return counts


def _by_id(facet: Mapping[str, Any]) -> dict[UUID, int]:
    return {UUID(hex=each["key"]): each["doc_count"] for each in facet["found"]["buckets"]}


def _in_order(facet: Mapping[str, Any], starts: Sequence[int]) -> list[int]:
    counts = {int(each["from"]): int(each["doc_count"]) for each in facet["found"]["buckets"]}
    return [counts[start] for start in starts]


def _attributes(facet: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for each in facet["found"]["buckets"]:
        name, _, value = each["key"].partition(_SEPARATOR)
        pairs[name, value] = each["doc_count"]
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
    if typos.can_be_mistyped(typed):
        return typos.is_near(typed, word)
    return word.startswith(typed)


def _starts(word: str) -> list[str]:
    """Return the beginnings that a mistyped beginning is compared with."""
    longest = min(len(word), _LONGEST_START)
    return [word[:length] for length in range(typos.SHORTEST - 1, longest + 1)] or [word]


def _terms(field: str, size: int) -> Json:
    return {"terms": {"field": field, "size": size}}


def _others(filters: Mapping[str, Json], own: str) -> list[Json]:
    return [each for name, each in filters.items() if name != own]


def _all(clauses: Sequence[Json]) -> Json:
    return {"bool": {"filter": list(clauses)}} if clauses else {"match_all": {}}


def _any(clauses: Sequence[Json]) -> Json:
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}

"""What Elasticsearch keeps, and what it is asked: the same words, scores and orders as on MySQL."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from catalog_service.models.search_text import NAME_FIELD, TEXT_FIELD, Term, stem_of
from catalog_service.queries.search_conditions import VariantConditions
from catalog_service.queries.search_index import Document
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
    RATING,
    RATING_STEPS,
    RELEVANCE,
)
from catalog_service.services.search import typos
from catalog_service.services.search.backend import Query
from catalog_service.services.search.plan import is_prefix
from catalog_service.services.search.variants import conditions_of

Json = dict[str, Any]

_KEYWORD: Final[Json] = {"type": "keyword"}
_WORDS: Final[Json] = {"type": "text", "analyzer": "whitespace"}
_SHOWN: Final[Json] = {"type": "keyword", "index": False, "doc_values": False}
INDEX: Final[Json] = {
    "mappings": {
        "dynamic": "strict",
        "properties": {
            **dict.fromkeys(("id", "category", "seller", "starts"), _KEYWORD),
            **dict.fromkeys(("name", "title", "text"), _WORDS),
            **dict.fromkeys(("name_stems", "title_stems", "text_stems"), _WORDS),
            **dict.fromkeys(("label", "slug"), _SHOWN),
            "rating": {"type": "integer"},
            "sold": {"type": "integer"},
            "variants": {
                "type": "nested",
                "properties": {
                    **dict.fromkeys(("tokens", "values"), _KEYWORD),
                    "price": {"type": "long"},
                    "stock": {"type": "boolean"},
                },
            },
        },
    }
}
_SORTS: Final[Mapping[str, list[Json]]] = {
    RELEVANCE: [{"_score": "desc"}, {"sold": "desc"}, {"id": "desc"}],
    RATING: [{"rating": "desc"}, {"id": "desc"}],
    NEWEST: [{"id": "desc"}],
}
_COUNTED: Final = 10_000
_VALUES: Final = 500
_LONGEST_START: Final = 12
_LOOKED_AT: Final = 100
# Between an attribute's name and its value in the facet's key; no text may hold it.
SEPARATOR: Final = "\x00"
_IN_STOCK: Final[Json] = {"term": {"variants.stock": True}}
# Of variants, how many products they belong to.
_PRODUCTS: Final[Json] = {"products": {"reverse_nested": {}}}


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
        "rating": document.rating_hundredths,
        "sold": document.sold,
        "name": " ".join(document.names),
        "title": " ".join(titles),
        "text": " ".join(fields.get(TEXT_FIELD, [])),
        "name_stems": _stems(document.names),
        "title_stems": _stems(titles),
        "text_stems": _stems(fields.get(TEXT_FIELD, [])),
        "variants": [
            {
                "price": variant.price_minor,
                "stock": variant.is_in_stock,
                "tokens": list(variant.tokens),
                "values": [SEPARATOR.join(pair) for pair in variant.attributes.items()],
            }
            for variant in document.variants
        ],
        "starts": sorted({start for word in titles for start in _starts(word)}),
        "label": document.label,
        "slug": document.slug,
    }


def search_body(query: Query, steps: Sequence[int]) -> Json:
    """Return the request: filters after the facets, each facet under the filters of the others."""
    products, variants = _product_filters(query), _variant_filters(conditions_of(query.filters))
    body: Json = {
        "size": query.limit + 1,
        "_source": False,
        "track_scores": True,
        "track_total_hits": _COUNTED,
        "query": {"bool": {"must": [_scored(term) for term in query.terms]}},
        "post_filter": _all([*products.values(), *_of_one_variant(list(variants.values()))]),
        "sort": _sort(query.sort, list(variants.values())),
        "aggs": {
            **_product_facets(products, variants),
            **_variant_facets(products, variants, steps),
        },
    }
    if query.after is not None:
        body["search_after"] = [*query.after.value, query.after.product_id.hex]
    return body


def _sort(sort: str, filters: Sequence[Json]) -> list[Json]:
    """Return the order; a price is the lowest among the variants that pass."""
    if sort not in {PRICE, PRICE_DOWN}:
        return _SORTS[sort]
    order = "asc" if sort == PRICE else "desc"
    nested = {"path": "variants", "filter": _all(filters)}
    price = {"order": order, "mode": "min", "nested": nested}
    return [{"variants.price": price}, {"id": order}]


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
    fields = ("title", "text")
    parts = [_any([each for f in fields for each in _forms(part, f)]) for part in term.words]
    return {"constant_score": {"filter": _all(parts), "boost": 1}}


def _holds(term: Term, field: str, *, is_whole: bool) -> Json:
    whole = _forms(term.whole, field, is_whole=is_whole)
    if not term.parts:
        return _any(whole)
    parts = [_any(_forms(part, field, is_whole=is_whole)) for part in term.parts]
    return _any([*whole, _all(parts)])


def _forms(word: str, field: str, *, is_whole: bool = False) -> list[Json]:
    """Return what finds a word in a field: itself or its beginnings, and its other forms."""
    found = [_one(word, field, is_whole=is_whole)]
    if not is_whole:
        found.append({"term": {f"{field}_stems": {"value": stem_of(word)}}})
    return found


def _stems(words: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(map(stem_of, words)))


def _one(word: str, field: str, *, is_whole: bool = False) -> Json:
    kind = "prefix" if is_prefix(word) and not is_whole else "term"
    return {kind: {field: {"value": word}}}


def _word(word: str, *, is_forgiving: bool) -> Json:
    exact = _forms(word, "title")
    if is_forgiving and typos.can_be_mistyped(word):
        exact.append({"fuzzy": {"title": {"value": word, "fuzziness": 1}}})
    return _any(exact)


def _start(word: str, *, is_forgiving: bool) -> Json:
    exact: list[Json] = [
        {"prefix": {"title": {"value": word}}},
        {"term": {"title_stems": {"value": stem_of(word)}}},
    ]
    if is_forgiving and typos.can_be_mistyped(word):
        exact.append({"fuzzy": {"starts": {"value": word, "fuzziness": 1}}})
        exact.append({"fuzzy": {"title": {"value": word, "fuzziness": 1}}})
    return _any(exact)


def _product_filters(query: Query) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if query.branch is not None:
        found[BY_CATEGORY] = {"terms": {"category": [each.hex for each in query.branch]}}
    if query.filters.seller_id is not None:
        found[BY_SELLER] = {"term": {"seller": query.filters.seller_id.hex}}
    if query.filters.min_rating is not None:
        found[BY_RATING] = {"range": {"rating": {"gte": 100 * query.filters.min_rating}}}
    return found


def _variant_filters(wanted: VariantConditions) -> dict[str, Json]:
    """Return the filters that one variant must pass, by facet."""
    found: dict[str, Json] = {}
    bounds = {"gte": wanted.lowest, "lte": wanted.highest}
    if given := {name: value for name, value in bounds.items() if value is not None}:
        found[BY_PRICE] = {"range": {"variants.price": given}}
    if wanted.in_stock:
        found[BY_STOCK] = _IN_STOCK
    for facet, tokens in wanted.tokens.items():
        found[facet] = {"terms": {"variants.tokens": list(tokens)}}
    return found


def _of_one_variant(filters: Sequence[Json]) -> list[Json]:
    """Return that some variant passes all of these; nothing where there are none."""
    return [{"nested": {"path": "variants", "query": _all(filters)}}] if filters else []


def _product_facets(products: Mapping[str, Json], variants: Mapping[str, Json]) -> Json:
    """Return the facets that count products by what they are themselves."""
    ratings = [{"from": 100 * step} for step in RATING_STEPS]
    facets = {
        "categories": (BY_CATEGORY, _terms("category", MAX_FACET_VALUES)),
        "sellers": (BY_SELLER, _terms("seller", MAX_FACET_VALUES)),
        "ratings": (BY_RATING, {"range": {"field": "rating", "ranges": ratings}}),
    }
    passing = _of_one_variant(list(variants.values()))
    return {
        name: {
            "filter": _all([*_others(products, own), *passing]),
            "aggs": {"found": aggregation},
        }
        for name, (own, aggregation) in facets.items()
    }


def _variant_facets(
    products: Mapping[str, Json], variants: Mapping[str, Json], steps: Sequence[int]
) -> Json:
    """Return the facets that count products by their variants, each product once."""
    ranges = {"range": {"field": "variants.price", "ranges": _price_ranges(steps)}}
    facets = {
        "prices": (BY_PRICE, {"stats": {"field": "variants.price"}}),
        "price_steps": (BY_PRICE, {**ranges, "aggs": _PRODUCTS}),
        "stock": (BY_STOCK, {"filter": _IN_STOCK, "aggs": _PRODUCTS}),
        "values": ("", {**_terms("variants.values", _VALUES), "aggs": _PRODUCTS}),
    }
    for facet in variants:
        if facet.startswith(ATTRIBUTE):
            facets[facet] = (facet, facets["values"][1])
    return {
        name: {
            "filter": _all(list(products.values())),
            "aggs": {"variants": _among(_others(variants, own), aggregation)},
        }
        for name, (own, aggregation) in facets.items()
    }


def _among(filters: Sequence[Json], aggregation: Json) -> Json:
    passing = {"filter": _all(filters), "aggs": {"found": aggregation}}
    return {"nested": {"path": "variants"}, "aggs": {"passing": passing}}


def _price_ranges(steps: Sequence[int]) -> list[Json]:
    ends: list[int | None] = [*steps[1:], None]
    return [
        {"from": lowest} if below is None else {"from": lowest, "to": below}
        for lowest, below in zip(steps, ends, strict=True)
    ]


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

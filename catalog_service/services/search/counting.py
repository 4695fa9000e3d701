"""Facets: counting what the products that were found have."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import orjson

from catalog_service.models.search_text import fold
from catalog_service.queries.search import Candidate
from catalog_service.schemas.search import (
    ATTRIBUTE,
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    BY_STOCK,
    PRICE_STEPS,
    RATING_STEPS,
    FacetCounts,
)

_MAX_ATTRIBUTES: Final = 10
_MAX_VALUES: Final = 20


def count(found: Sequence[Candidate]) -> FacetCounts:
    prices = [one.price_minor for one in found]
    return FacetCounts(
        categories=_by_id(Counter(one.category for one in found)),
        sellers=_by_id(Counter(one.seller for one in found if one.seller is not None)),
        lowest_price=min(prices, default=None),
        highest_price=max(prices, default=None),
        price_steps=price_steps(prices),
        rating_steps=_rating_steps([one.rating_hundredths for one in found]),
        in_stock=sum(1 for one in found if one.is_in_stock),
        attributes=_attributes(found),
    )


def _by_id(counts: Mapping[bytes, int]) -> dict[UUID, int]:
    return {UUID(bytes=each): number for each, number in counts.items()}


def price_steps(prices: Sequence[int]) -> list[int]:
    ordered = sorted(prices)
    ends = [*(bisect_left(ordered, step) for step in PRICE_STEPS), len(ordered)]
    return [end - start for start, end in pairwise(ends)]


def _rating_steps(hundredths: Sequence[int]) -> list[int]:
    counts = Counter(hundredths)
    return [
        sum(number for rating, number in counts.items() if rating >= 100 * step)
        for step in RATING_STEPS
    ]


def merge(base: FacetCounts, facet: str, wider: FacetCounts) -> None:
    """Take one facet from the counts that were made without its filter."""
    if facet == BY_CATEGORY:
        base.categories = wider.categories
    elif facet == BY_SELLER:
        base.sellers = wider.sellers
    elif facet == BY_PRICE:
        base.lowest_price, base.highest_price = wider.lowest_price, wider.highest_price
        base.price_steps = wider.price_steps
    elif facet == BY_RATING:
        base.rating_steps = wider.rating_steps
    elif facet == BY_STOCK:
        base.in_stock = wider.in_stock
    else:
        _merge_attribute(base, facet.removeprefix(ATTRIBUTE), wider)


def _merge_attribute(base: FacetCounts, wanted: str, wider: FacetCounts) -> None:
    """Names are compared as filters compare them, whatever their case."""
    same = {name: values for name, values in wider.attributes.items() if fold(name) == fold(wanted)}
    base.attributes = {**base.attributes, **same}


def _attributes(found: Sequence[Candidate]) -> dict[str, dict[str, int]]:
    pairs = [
        (name, value)
        for one in found
        for name, values in orjson.loads(one.attributes).items()
        for value in values
    ]
    return grouped(Counter(pairs))


def grouped(pairs: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return the values of each attribute with their counts, the commonest first."""
    found: dict[str, dict[str, int]] = {}
    for (name, value), number in sorted(pairs.items(), key=_commonest_first):
        values = found.setdefault(name, {})
        if len(values) < _MAX_VALUES:
            values[value] = number
    return dict(list(found.items())[:_MAX_ATTRIBUTES])


def _commonest_first(item: tuple[tuple[str, str], int]) -> Any:
    return -item[1], item[0]

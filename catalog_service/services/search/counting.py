"""Facets: counting what the products that were found have."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from catalog_service.models.search_text import folded_label
from catalog_service.queries.search import Candidate
from catalog_service.schemas.search import (
    ATTRIBUTE,
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    BY_STOCK,
    RATING_STEPS,
    FacetCounts,
)
from catalog_service.services.search.variants import Judge, Judged, listed

_MAX_ATTRIBUTES: Final = 10
_MAX_VALUES: Final = 20


def count(found: Sequence[Candidate], judge: Judge, steps: Sequence[int]) -> FacetCounts:
    """Count the products; each facet by the variants that pass every filter but its own."""
    counts = _count_variants(found, judge, steps) if judge.has_filters else _count_all(found, steps)
    counts.categories = _by_id(Counter(one.category for one in found))
    counts.sellers = _by_id(Counter(one.seller for one in found if one.seller is not None))
    counts.rating_steps = _rating_steps([one.rating_hundredths for one in found])
    return counts


def _count_all(found: Sequence[Candidate], steps: Sequence[int]) -> FacetCounts:
    """Count where no filter is about variants: the products' own columns tell nearly all."""
    lowest = [one.price_minor for one in found]
    highest = [one.highest_minor or one.price_minor for one in found]
    pairs = [
        (name, value)
        for one in found
        for name, values in orjson.loads(one.attributes).items()
        for value in values
    ]
    return FacetCounts(
        lowest_price=min(lowest, default=None),
        highest_price=max(highest, default=None),
        price_steps=price_steps([_ends(one, steps) for one in found], steps),
        in_stock=sum(1 for one in found if one.is_in_stock),
        attributes=grouped(Counter(pairs)),
    )


def _ends(one: Candidate, steps: Sequence[int]) -> Sequence[int]:
    """Return prices of a product of every step that one of its variants is in."""
    ends = (one.price_minor, one.highest_minor or one.price_minor)
    if bisect_right(steps, ends[0]) == bisect_right(steps, ends[1]):
        return ends[:1]
    return [price for price, _, _ in listed(one)]


def _count_variants(found: Sequence[Candidate], judge: Judge, steps: Sequence[int]) -> FacetCounts:
    variants = [judge.variants(one) for one in found]
    price_bit, stock_bit = judge.bit(BY_PRICE), judge.bit(BY_STOCK)
    prices = [[v[0] for v in each if not v[3] & ~price_bit] for each in variants]
    return FacetCounts(
        lowest_price=min((min(each) for each in prices if each), default=None),
        highest_price=max((max(each) for each in prices if each), default=None),
        price_steps=price_steps(prices, steps),
        in_stock=sum(1 for each in variants if any(v[1] and not v[3] & ~stock_bit for v in each)),
        attributes=_attributes(variants, judge),
    )


def _by_id(counts: Mapping[bytes, int]) -> dict[UUID, int]:
    return {UUID(bytes=each): number for each, number in counts.items()}


def price_steps(prices: Sequence[Sequence[int]], steps: Sequence[int]) -> list[int]:
    """Count the products that have a variant in each step; `prices` are those of each product."""
    counts = Counter(
        at for each in prices for at in {bisect_right(steps, price) - 1 for price in each}
    )
    return [counts[n] for n in range(len(steps))]


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
    same = {name: each for name, each in wider.attributes.items() if folded_label(name) == wanted}
    others = {name: each for name, each in base.attributes.items() if folded_label(name) != wanted}
    base.attributes = {**others, **same}


def _attributes(found: Sequence[Sequence[Judged]], judge: Judge) -> dict[str, dict[str, int]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for variants in found:
        pairs.update(
            {
                pair
                for _, _, attributes, fails in variants
                for pair in attributes.items()
                if not fails or not fails & ~judge.bit_of_label(pair[0])
            }
        )
    return grouped(pairs)


def grouped(pairs: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return the values of each attribute with their counts, the commonest first.

    What is the same but for case counts together, and is written as most of them write it. What
    cannot be asked for, a text without a sign, is left out.
    """
    names: dict[str, str] = {}
    values: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for (name, value), number in sorted(pairs.items(), key=_commonest_first):
        if name.strip() and value.strip():
            key = folded_label(name), folded_label(value)
            names.setdefault(key[0], name)
            values.setdefault(key, value)
            counts[key] += number
    found: dict[str, dict[str, int]] = {}
    for key, number in sorted(counts.items(), key=_commonest_first):
        listed = found.setdefault(names[key[0]], {})
        if len(listed) < _MAX_VALUES:
            listed[values[key]] = number
    return dict(list(found.items())[:_MAX_ATTRIBUTES])


def _commonest_first(item: tuple[tuple[str, str], int]) -> Any:
    return -item[1], item[0]

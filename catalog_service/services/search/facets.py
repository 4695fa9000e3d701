"""Facets as plain JSON: what `Facets` would write, without making the models."""

from collections.abc import Mapping
from itertools import pairwise
from uuid import UUID

from catalog_service.schemas.search import (
    MAX_FACET_VALUES,
    RATING_STEPS,
    FacetCounts,
    price_steps_of,
)
from catalog_service.services.search.items import Json, money


def facets_out(
    counts: FacetCounts,
    categories: Mapping[UUID, str],
    stores: Mapping[UUID, str],
    currency: str,
) -> Json:
    """Return the facets; a category or a store that has no name any more is left out."""
    return {
        "categories": _named(counts.categories, categories),
        "sellers": _named(counts.sellers, stores),
        "prices": _price_range(counts, currency),
        "priceSteps": _price_steps(counts, currency),
        "ratings": [
            {"minRating": step, "count": number}
            for step, number in zip(RATING_STEPS, counts.rating_steps, strict=True)
        ],
        "inStock": counts.in_stock,
        "attributes": [
            {
                "name": name,
                "values": [{"value": value, "count": number} for value, number in values.items()],
            }
            for name, values in counts.attributes.items()
        ],
    }


def most(counts: Mapping[UUID, int]) -> list[UUID]:
    """Return those that have most, as many as are shown."""
    return sorted(counts, key=lambda each: (-counts[each], each))[:MAX_FACET_VALUES]


def _named(counts: Mapping[UUID, int], known: Mapping[UUID, str]) -> list[Json]:
    return [
        {"id": each, "name": known[each], "count": counts[each]}
        for each in most(counts)
        if each in known
    ]


def _price_range(counts: FacetCounts, currency: str) -> Json | None:
    if counts.lowest_price is None or counts.highest_price is None:
        return None
    return {
        "lowest": money(counts.lowest_price, currency),
        "highest": money(counts.highest_price, currency),
    }


def _price_steps(counts: FacetCounts, currency: str) -> list[Json]:
    """Return the steps that hold products."""
    starts = price_steps_of(currency)
    steps = zip(pairwise([*starts, None]), counts.price_steps, strict=True)
    return [
        {
            "lowest": money(lowest or 0, currency),
            "below": None if below is None else money(below, currency),
            "count": number,
        }
        for (lowest, below), number in steps
        if number
    ]

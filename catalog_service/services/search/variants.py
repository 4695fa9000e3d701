"""Which variants of a product the filters mean: what it costs, and what facets count, is theirs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from catalog_service.models.search_text import attribute_token, folded_label
from catalog_service.queries.search import Candidate
from catalog_service.queries.search_conditions import VariantConditions
from catalog_service.schemas.search import ATTRIBUTE, BY_PRICE, BY_STOCK, Filters


class Judged(NamedTuple):
    """A variant; `fails` has a bit for each facet whose filter keeps it out."""

    price_minor: int
    is_in_stock: int
    attributes: Mapping[str, str]
    fails: int


def conditions_of(filters: Filters) -> VariantConditions:
    """Return the filters that one variant must pass; the case of attributes does not matter."""
    tokens: dict[str, dict[str, None]] = {}
    for name, value in filters.attributes:
        facet = f"{ATTRIBUTE}{folded_label(name)}"
        tokens.setdefault(facet, {})[attribute_token(name, value)] = None
    return VariantConditions(
        lowest=filters.min_price,
        highest=filters.max_price,
        in_stock=filters.in_stock,
        tokens={facet: tuple(each) for facet, each in tokens.items()},
    )


class Judge:
    """Tells what keeps the variants of the rows that were read from passing."""

    def __init__(self, wanted: VariantConditions) -> None:
        self._wanted = wanted
        self._bits = {facet: 1 << n for n, facet in enumerate(wanted.facets)}
        self._tokens = {self._bits[facet]: set(each) for facet, each in wanted.tokens.items()}

    def bit(self, facet: str) -> int:
        """Return the bit of a facet in `fails`; 0 for one that has no filter."""
        return self._bits.get(facet, 0)

    def variants(self, row: Candidate) -> list[Judged]:
        listed: list[Any] = orjson.loads(row.variants) if row.variants else [_alone(row)]
        if not self._bits:
            return [Judged(price, stock, pairs, 0) for price, stock, pairs in listed]
        return [
            Judged(price, stock, pairs, self._fails(price, stock, pairs))
            for price, stock, pairs in listed
        ]

    def price(self, row: Candidate) -> int:
        """Return the lowest price among the variants that pass."""
        if not self._bits:
            return row.price_minor
        prices = [each.price_minor for each in self.variants(row) if not each.fails]
        return min(prices, default=row.price_minor)

    def _fails(self, price: int, is_in_stock: int, attributes: Mapping[str, str]) -> int:
        wanted, fails = self._wanted, 0
        is_dear_enough = wanted.lowest is None or price >= wanted.lowest
        if not (is_dear_enough and (wanted.highest is None or price <= wanted.highest)):
            fails |= self._bits[BY_PRICE]
        if wanted.in_stock and not is_in_stock:
            fails |= self._bits[BY_STOCK]
        if self._tokens:
            own = {attribute_token(name, value) for name, value in attributes.items()}
            for bit, tokens in self._tokens.items():
                if own.isdisjoint(tokens):
                    fails |= bit
        return fails


def _alone(row: Candidate) -> Sequence[Any]:
    """Return a product as its only variant: a copy of the release before does not list them."""
    return row.price_minor, row.is_in_stock, {}


def passing(variants: Sequence[Judged], bit: int) -> Iterator[Judged]:
    """Yield the variants that pass every filter but the one of this bit."""
    return (each for each in variants if not each.fails & ~bit)

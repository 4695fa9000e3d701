"""Which variants of a product the filters mean: what it costs, and what facets count, is theirs."""

from collections.abc import Mapping

import orjson

from catalog_service.models.search_text import attribute_token, folded_label
from catalog_service.queries.search import Candidate
from catalog_service.queries.search_conditions import VariantConditions
from catalog_service.schemas.search import ATTRIBUTE, BY_PRICE, BY_STOCK, Filters

# A variant: its price, 1 if it is in stock, its attributes, and a bit for each facet whose filter
# keeps it out. Plain tuples: there are a thousand of them in a search.
Judged = tuple[int, int, Mapping[str, str], int]


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
        self._tokens = [(self._bits[facet], set(each)) for facet, each in wanted.tokens.items()]
        self._labels: dict[str, int] = {}

    @property
    def has_filters(self) -> bool:
        return bool(self._bits)

    def bit(self, facet: str) -> int:
        """Return the bit of a facet; 0 for one that has no filter."""
        return self._bits.get(facet, 0)

    def bit_of_label(self, label: str) -> int:
        """Return the bit of an attribute's facet."""
        bit = self._labels.get(label)
        if bit is None:
            bit = self._labels[label] = self.bit(f"{ATTRIBUTE}{folded_label(label)}")
        return bit

    def variants(self, row: Candidate) -> list[Judged]:
        return [
            (price, stock, pairs, self._fails(price, stock, pairs))
            for price, stock, pairs in listed(row)
        ]

    def price(self, row: Candidate) -> int:
        """Return the lowest price among the variants that pass."""
        if not self._bits:
            return row.price_minor
        prices = [price for price, _, _, fails in self.variants(row) if not fails]
        return min(prices, default=row.price_minor)

    def _fails(self, price: int, is_in_stock: int, attributes: Mapping[str, str]) -> int:
        wanted, fails = self._wanted, 0
        is_dear_enough = wanted.lowest is None or price >= wanted.lowest
        if not (is_dear_enough and (wanted.highest is None or price <= wanted.highest)):
            fails |= self._bits[BY_PRICE]
        if wanted.in_stock and not is_in_stock:
            fails |= self._bits[BY_STOCK]
        for bit, tokens in self._tokens:
            if not any(attribute_token(*pair) in tokens for pair in attributes.items()):
                fails |= bit
        return fails


def listed(row: Candidate) -> list[tuple[int, int, Mapping[str, str]]]:
    """Return the variants of a row; one of the release before is its own only variant."""
    if not row.variants:
        return [(row.price_minor, row.is_in_stock, {})]
    found: list[tuple[int, int, Mapping[str, str]]] = orjson.loads(row.variants)
    return found

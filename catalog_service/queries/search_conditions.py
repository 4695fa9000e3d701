"""Filters as SQL over search's copies: what a product must be, and what one of its variants.

Several filters about variants mean one and the same: red and in stock is a red one in stock.
The ends of a product's prices answer the commonest cases; else its variants are looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from catalog_service.schemas.search import (
    BY_CATEGORY,
    BY_PRICE,
    BY_RATING,
    BY_SELLER,
    BY_STOCK,
    Filters,
)

_OF_PRODUCT: Final = "FROM search_variants v WHERE v.product_id = search_documents.product_id"
_LOWEST: Final = {False: "price_minor", True: "stocked_minor"}
_HIGHEST: Final = {False: "highest_minor", True: "stocked_highest_minor"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of a WHERE clause with its values."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


def product_conditions(
    filters: Filters, branch: Sequence[UUID] | None
) -> Iterator[tuple[str, Condition]]:
    """Yield the filters about the product, by facet; `branch` is the category's subtree."""
    if branch is not None:
        names = {f"c{n}": category_id.bytes for n, category_id in enumerate(branch)}
        listed = ", ".join(f"%({name})s" for name in names) or "NULL"
        yield BY_CATEGORY, Condition(f"(category_id IN ({listed}))", names)
    if filters.seller_id is not None:
        yield BY_SELLER, Condition("(seller_id = %(seller)s)", {"seller": filters.seller_id.bytes})
    if filters.min_rating is not None:
        yield BY_RATING, Condition("(rating >= %(rating)s)", {"rating": filters.min_rating})


@dataclass(frozen=True, slots=True)
class VariantConditions:
    """The filters about variants: bounds of the price, stock, and tokens by the attribute's facet.

    Of several tokens of one attribute any will do.
    """

    lowest: int | None = None
    highest: int | None = None
    in_stock: bool = False
    tokens: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def facets(self) -> tuple[str, ...]:
        """Name the facets that have a filter, in the order of their bits in `misses`."""
        price = (BY_PRICE,) if (self.lowest, self.highest) != (None, None) else ()
        return (*price, *((BY_STOCK,) if self.in_stock else ()), *self.tokens)

    def values(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.lowest is not None:
            found["lowest"] = self.lowest
        if self.highest is not None:
            found["highest"] = self.highest
        for n, tokens in enumerate(self.tokens.values()):
            found |= {f"a{n}_{m}": f" {token} " for m, token in enumerate(tokens)}
        return found

    def condition(self) -> Condition | None:
        """Return that some variant passes all of them; None where there are none."""
        if not self.facets:
            return None
        tests = [*self._necessary(), *([self._exact()] if self._exact() else [])]
        return Condition(f"({' AND '.join(tests)})", self.values())

    def expression(self) -> str:
        """Return what full text finds the attributes by; empty where there are none."""
        return " ".join(f"+({' '.join(tokens)})" for tokens in self.tokens.values())

    def bounds(self) -> list[Condition]:
        """Return what an index can narrow down, each by itself."""
        return [Condition(f"({sql})", self.values()) for sql in self._price_bounds()]

    def price(self) -> str:
        """Return the expression of a row's lowest price among the variants that pass."""
        base = _LOWEST[self.in_stock]
        lowest = f"(SELECT MIN(v.price_minor) {_OF_PRODUCT} AND {self._all_of_one()})"
        if self.tokens:
            return lowest
        if self.lowest is None:
            return base
        return f"CASE WHEN {base} >= %(lowest)s THEN {base} ELSE {lowest} END"

    def misses(self) -> str:
        """Return the expression of what keeps a row's variants out.

        Bit 0 is set where a variant passes; bit n + 1 where one fails by the nth facet alone.
        """
        if not self.facets:
            return "1"
        tests = list(self._tests())
        passed = " + ".join(f"({test} IS TRUE)" for test in tests)
        alone = " ".join(f"WHEN ({test}) IS NOT TRUE THEN {2 << n}" for n, test in enumerate(tests))
        code = (
            f"CASE WHEN {passed} = {len(tests)} THEN 1"
            f" WHEN {passed} < {len(tests) - 1} THEN 0 {alone} ELSE 0 END"
        )
        return f"(SELECT BIT_OR({code}) {_OF_PRODUCT})"

    def _necessary(self) -> Iterator[str]:
        """Yield what the product's own row can tell."""
        yield from self._price_bounds()
        if self.in_stock:
            yield "in_stock"
        for n, tokens in enumerate(self.tokens.values()):
            yield _any_token("words", n, len(tokens))

    def _price_bounds(self) -> Iterator[str]:
        if self.highest is not None:
            yield f"{_LOWEST[self.in_stock]} <= %(highest)s"
        if self.lowest is not None:
            yield f"{_HIGHEST[self.in_stock]} >= %(lowest)s"

    def _exact(self) -> str:
        """Return what is left to ask of the variants; empty where their product's row told all."""
        if not self.tokens and (self.lowest is None or self.highest is None):
            return ""
        if self.facets == tuple(self.tokens) and len(self.tokens) == 1:
            return ""
        exists = f"(SELECT 1 {_OF_PRODUCT} AND {self._all_of_one()} LIMIT 1) = 1"
        if self.tokens:
            return exists
        ends = (_LOWEST[self.in_stock], _HIGHEST[self.in_stock])
        inside = " OR ".join(f"{end} BETWEEN %(lowest)s AND %(highest)s" for end in ends)
        return f"({inside} OR {exists})"

    def _all_of_one(self) -> str:
        return " AND ".join(self._tests())

    def _tests(self) -> Iterator[str]:
        """Yield each filter as a test of a variant, in the order of `facets`."""
        bounds = []
        if self.lowest is not None:
            bounds.append("v.price_minor >= %(lowest)s")
        if self.highest is not None:
            bounds.append("v.price_minor <= %(highest)s")
        if bounds:
            yield f"({' AND '.join(bounds)})"
        if self.in_stock:
            yield "v.in_stock"
        for n, tokens in enumerate(self.tokens.values()):
            yield _any_token("v.tokens", n, len(tokens))


def _any_token(column: str, attribute: int, number: int) -> str:
    tests = (f"INSTR({column}, %(a{attribute}_{m})s) > 0" for m in range(number))
    return f"({' OR '.join(tests)})"

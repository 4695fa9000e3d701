"""Search: what is looked for, what is found, and both on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from catalog_service.schemas.products import ProductPage
from common_lib.money import Money, decimals
from common_lib.problems import ApiModel

RELEVANCE: Final = "relevance"
PRICE: Final = "price"
PRICE_DOWN: Final = "-price"
RATING: Final = "rating"
NEWEST: Final = "newest"
# The steps of the price facet, in major units; the last one is open.
_PRICE_STEPS: Final = (0, 500, 1_000, 2_500, 5_000, 10_000, 25_000)
RATING_STEPS: Final = (4, 3, 2, 1)
MAX_FACET_VALUES: Final = 50
# Names of the facets that filters belong to; an attribute's is the prefix and its name.
BY_CATEGORY: Final = "category"
BY_SELLER: Final = "seller"
BY_PRICE: Final = "price"
BY_RATING: Final = "rating"
BY_STOCK: Final = "stock"
ATTRIBUTE: Final = "attr."


def price_steps_of(currency: str) -> tuple[int, ...]:
    """Return where the steps of the price facet begin, in minor units of the currency."""
    return tuple(step * 10 ** decimals(currency) for step in _PRICE_STEPS)


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for besides words. Prices are in minor units.

    Prices, stock and attributes mean one and the same variant; of several values of one attribute
    any will do.
    """

    category_id: UUID | None = None
    seller_id: UUID | None = None
    min_price: int | None = None
    max_price: int | None = None
    min_rating: float | None = None
    in_stock: bool = False
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PageRequest:
    sort: str
    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: what it was sorted by, and the product's id, which breaks ties.

    The values: relevance (score, units sold), a price in minor units, a rating in hundredths, ().
    """

    value: tuple[int, ...]
    product_id: UUID


@dataclass(slots=True)
class FacetCounts:
    """How many of the products that were looked at have what."""

    categories: Mapping[UUID, int] = field(default_factory=dict)
    sellers: Mapping[UUID, int] = field(default_factory=dict)
    lowest_price: int | None = None
    highest_price: int | None = None
    price_steps: Sequence[int] = (0,) * len(_PRICE_STEPS)
    rating_steps: Sequence[int] = (0,) * len(RATING_STEPS)
    in_stock: int = 0
    attributes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def is_empty(self) -> bool:
        counts = (self.categories, self.sellers, self.in_stock, self.attributes)
        return not any((*counts, *self.price_steps, *self.rating_steps))


@dataclass(frozen=True, slots=True)
class Found:
    """One page of ids, best first, and what is told about all that matches.

    With `is_exact` false, `total` is a lower bound and the facets count as many products.
    """

    product_ids: Sequence[UUID] = ()
    end: Position | None = None
    total: int = 0
    is_exact: bool = True
    facets: FacetCounts = field(default_factory=FacetCounts)

    def is_nothing(self) -> bool:
        """Tell whether neither a product was found nor a facet has anything to count."""
        return self.total == 0 and self.facets.is_empty()


class NamedCount(ApiModel):
    """How many of the products found belong to this category or store."""

    id: UUID
    name: str
    count: int


class PriceStep(ApiModel):
    """Products that cost at least `lowest` and less than `below`; the last step has no end."""

    lowest: Money
    below: Money | None
    count: int


class PriceRange(ApiModel):
    lowest: Money
    highest: Money


class RatingStep(ApiModel):
    min_rating: int
    count: int


class ValueCount(ApiModel):
    value: str
    count: int


class AttributeFacet(ApiModel):
    name: str
    values: tuple[ValueCount, ...]


class Facets(ApiModel):
    """Each counts the products that match the words and every filter but its own."""

    categories: tuple[NamedCount, ...] = ()
    sellers: tuple[NamedCount, ...] = ()
    prices: PriceRange | None = None
    price_steps: tuple[PriceStep, ...] = ()
    ratings: tuple[RatingStep, ...] = ()
    in_stock: int = 0
    attributes: tuple[AttributeFacet, ...] = ()


class SearchPage(ProductPage):
    """`total` is exact where `totalRelation` is eq, and a lower bound where it is gte."""

    facets: Facets
    total: int
    total_relation: Literal["eq", "gte"]


class Suggestion(ApiModel):
    """A text to search for; with a product's id and slug where it is one product's name."""

    text: str
    product_id: UUID | None = None
    slug: str | None = None
    category_id: UUID | None = None


class Suggestions(ApiModel):
    items: tuple[Suggestion, ...]

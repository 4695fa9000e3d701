"""Wishlists on the wire."""

from datetime import datetime
from uuid import UUID

from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel


class WishIn(RequestModel):
    product_id: LaxId


class WishedProduct(ApiModel):
    """A product in short. One that is no longer sold stays on the list with nothing available.

    `price` and `priceTo` are the ends of what the variants in stock cost, of all of them where none
    is; `available` are the units of all of them.
    """

    id: UUID
    name: str
    slug: str
    price: Money
    price_to: Money
    available: int
    is_for_sale: bool
    avg_rating: float
    review_count: int
    image_url: str | None


class WishOut(ApiModel):
    product: WishedProduct
    added_at: datetime


class WishPage(ApiModel):
    items: tuple[WishOut, ...]
    next_cursor: str | None


class WishAdded(ApiModel):
    product_id: UUID

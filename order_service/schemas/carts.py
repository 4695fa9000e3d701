"""Bodies of the cart's calls."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel
from common_lib.text import Verbatim
from order_service.schemas.common import Quantity


class CartItemAdd(RequestModel):
    variant_id: LaxId
    quantity: Quantity


class CartItemSet(RequestModel):
    quantity: Quantity


class CartMerge(RequestModel):
    guest_token: Annotated[
        str, Field(min_length=1, max_length=4096), Verbatim("a token opens something or does not")
    ]


class CartTakeOver(RequestModel):
    guest_id: LaxId


class CartLineView(ApiModel):
    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money
    available: int


class CartView(ApiModel):
    """A cart at today's prices; `unavailable` names lines that are no longer sold."""

    user_id: UUID
    items: list[CartLineView]
    unavailable: list[UUID]
    subtotal: Money
    currency: str
    version: int
    expires_at: datetime


class MergedCartView(CartView):
    """A cart that took a guest's over; `left_out` names variants it had no line left for."""

    left_out: list[UUID]

"""Bodies of the cart's calls."""

from datetime import datetime
from uuid import UUID

from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel
from order_service.schemas.common import Quantity


class CartItemAdd(RequestModel):
    variant_id: LaxId
    quantity: Quantity


class CartItemSet(RequestModel):
    quantity: Quantity


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

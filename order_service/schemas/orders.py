"""Bodies of the order calls."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from common_lib.addresses import PostalAddress
from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel
from common_lib.text import Shaped, Verbatim
from order_service.schemas.common import KeyedRequest, Note, Page, Quantity, Token
from order_service.schemas.enums import Action, OrderStatus, PaymentMethod, PaymentStatus

LaxMethod = Annotated[PaymentMethod, Field(strict=False)]
LaxStatus = Annotated[OrderStatus, Field(strict=False)]
CouponCode = Annotated[
    str,
    Shaped(
        r"^[A-Za-z0-9_-]{3,32}$",
        "A coupon's code is 3 to 32 letters a to z, digits, hyphens and underscores",
        is_trimmed=True,
        is_upper=True,
    ),
]


class OrderItemIn(RequestModel):
    variant_id: LaxId
    quantity: Quantity


class PlaceOrder(KeyedRequest):
    """Without `items` the caller's cart is ordered. Exactly one address is named."""

    items: Annotated[list[OrderItemIn], Field(min_length=1, max_length=100)] | None = None
    address_id: LaxId | None = None
    shipping_address: PostalAddress | None = None
    payment_method: LaxMethod
    payment_token: Token | None = None
    coupon_code: CouponCode | None = None
    expected_total: Money | None = None
    notes: Note | None = None

    @model_validator(mode="after")
    def _names_one_address(self) -> Self:
        if (self.address_id is None) == (self.shipping_address is None):
            raise ValueError("name either addressId or shippingAddress")
        return self

    @model_validator(mode="after")
    def _cod_takes_no_token(self) -> Self:
        if self.payment_method is PaymentMethod.COD and self.payment_token is not None:
            raise ValueError("cash on delivery takes no paymentToken")
        return self


class StatusPatch(RequestModel):
    status: LaxStatus
    note: Note | None = None


class CancelOrder(RequestModel):
    reason: Note | None = None


class AbortOrder(RequestModel):
    user_id: LaxId
    idempotency_key: Annotated[
        str, Field(min_length=1, max_length=255), Verbatim("another key would be another request")
    ]
    reservation_id: LaxId


class AbortView(ApiModel):
    """What became of the order: PLACED keeps its stock, ABORTED gives it back."""

    outcome: str
    order_id: UUID | None


class OrderItemView(ApiModel):
    id: UUID
    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class NextAction(ApiModel):
    """What the customer has to do to get on with paying."""

    type: str
    method: str
    href: str
    detail: str


class OrderPaymentView(ApiModel):
    id: UUID
    method: PaymentMethod
    status: PaymentStatus
    provider: str
    failure_text: str | None = None
    next_action: NextAction | None = None


class OrderView(ApiModel):
    """An order as its reader may see it.

    A seller sees the own lines and what they amount to; who the buyer is, the coupon and, unless
    all the goods are the seller's, payment and delivery are null or nothing. `actions` are what
    the reader may do now, `expiresAt` until when an unpaid order is kept.
    """

    id: UUID
    order_number: str
    user_id: UUID | None
    status: OrderStatus
    items: list[OrderItemView]
    subtotal: Money
    discount: Money
    tax: Money
    is_tax_included: bool
    shipping: Money
    total: Money
    coupon_code: str | None
    shipping_address: dict[str, Any]
    notes: str | None
    payment: OrderPaymentView | None
    expires_at: datetime | None
    actions: list[Action]
    version: int
    created_at: datetime


class OrderList(Page):
    items: list[OrderView]


class TimelineEntry(ApiModel):
    """One step; `from` is null for the first, `changedBy` is a user's id or `system`.

    A seller sees `customer` or `shop` for other people, and not their words.
    """

    from_status: OrderStatus | None = Field(alias="from")
    to_status: OrderStatus = Field(alias="to")
    changed_by: str
    note: str | None
    at: datetime


class Timeline(ApiModel):
    items: list[TimelineEntry]

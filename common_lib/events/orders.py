"""Events of the order service, on the topic order-events."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from common_lib.events.envelope import Event, EventPart, Topic
from common_lib.money import Money


class OrderLine(EventPart):
    """One line of an order inside an event."""

    order_item_id: UUID
    variant_id: UUID
    product_id: UUID
    seller_id: UUID | None = None
    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class OrderAmounts(EventPart):
    """What the total is made of; the tax lies within the prices where `is_tax_included`."""

    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    is_tax_included: bool
    coupon_code: str | None = None


class NextStep(StrEnum):
    """What an order that was just placed waits for."""

    PAY = "PAY"
    PAYMENT_UNDER_WAY = "PAYMENT_UNDER_WAY"
    CASH_ON_DELIVERY = "CASH_ON_DELIVERY"
    NOTHING_TO_PAY = "NOTHING_TO_PAY"


class ConfirmedBecause(StrEnum):
    """How an order came to be confirmed: at once, by its payment, or by a choice made later."""

    PLACED = "PLACED"
    PAID = "PAID"
    CASH_CHOSEN = "CASH_CHOSEN"


class CancelledBecause(StrEnum):
    """Who or what ended an order before it was shipped."""

    CUSTOMER = "CUSTOMER"
    SHOP = "SHOP"
    NOT_PAID_IN_TIME = "NOT_PAID_IN_TIME"
    REFUNDED = "REFUNDED"


class OrderEvent(Event):
    """Every order event carries the recipient as a snapshot and the reservation it is about.

    Members with a default came later: events written before know nothing of them.
    """

    topic: ClassVar[Topic] = Topic.ORDER_EVENTS

    order_id: UUID
    order_number: str
    user_id: UUID
    email: str
    full_name: str
    reservation_id: UUID
    total: Money
    amounts: OrderAmounts | None = None

    @property
    def key(self) -> str:
        return str(self.order_id)


class OrderCreated(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CREATED"

    lines: tuple[OrderLine, ...]
    payment_method: str
    next_step: NextStep | None = None
    pay_until: datetime | None = None


class OrderConfirmed(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CONFIRMED"

    lines: tuple[OrderLine, ...] = ()
    because: ConfirmedBecause | None = None


class OrderPaymentDue(OrderEvent):
    """An unpaid order is about to expire; told once, while the customer can still pay."""

    event_type: ClassVar[str] = "ORDER_PAYMENT_DUE"

    pay_until: datetime


class OrderShipped(OrderEvent):
    event_type: ClassVar[str] = "ORDER_SHIPPED"

    carrier: str | None = None
    tracking_number: str | None = None


class OrderDelivered(OrderEvent):
    event_type: ClassVar[str] = "ORDER_DELIVERED"

    lines: tuple[OrderLine, ...] = ()


class OrderCancelled(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CANCELLED"

    # The lines are those that sellers had been told to send.
    reason: str
    because: CancelledBecause | None = None
    refund: Money | None = None
    lines: tuple[OrderLine, ...] = ()


class PaymentEvent(OrderEvent):
    """Order events about money; `amount` is what was paid, refused or given back."""

    payment_id: UUID
    amount: Money
    method: str


class PaymentSucceeded(PaymentEvent):
    event_type: ClassVar[str] = "PAYMENT_SUCCESS"

    order_status: str | None = None


class PaymentFailed(PaymentEvent):
    event_type: ClassVar[str] = "PAYMENT_FAILED"

    reason: str
    reason_text: str | None = None
    pay_until: datetime | None = None


class RefundInitiated(PaymentEvent):
    event_type: ClassVar[str] = "REFUND_INITIATED"


class RefundCompleted(PaymentEvent):
    event_type: ClassVar[str] = "REFUND_COMPLETED"

    paid: Money | None = None
    refunded: Money | None = None

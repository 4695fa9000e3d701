"""Events of the order service, on the topic order-events."""

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


class OrderEvent(Event):
    """Every order event carries the recipient as a snapshot and the reservation it is about."""

    topic: ClassVar[Topic] = Topic.ORDER_EVENTS

    order_id: UUID
    order_number: str
    user_id: UUID
    email: str
    full_name: str
    reservation_id: UUID
    total: Money

    @property
    def key(self) -> str:
        return str(self.order_id)


class OrderCreated(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CREATED"

    lines: tuple[OrderLine, ...]
    payment_method: str


class OrderConfirmed(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CONFIRMED"


class OrderShipped(OrderEvent):
    event_type: ClassVar[str] = "ORDER_SHIPPED"

    carrier: str | None = None
    tracking_number: str | None = None


class OrderDelivered(OrderEvent):
    event_type: ClassVar[str] = "ORDER_DELIVERED"

    lines: tuple[OrderLine, ...] = ()


class OrderCancelled(OrderEvent):
    event_type: ClassVar[str] = "ORDER_CANCELLED"

    reason: str


class PaymentEvent(OrderEvent):
    """Order events about money; `amount` is what was paid, refused or given back."""

    payment_id: UUID
    amount: Money
    method: str


class PaymentSucceeded(PaymentEvent):
    event_type: ClassVar[str] = "PAYMENT_SUCCESS"


class PaymentFailed(PaymentEvent):
    event_type: ClassVar[str] = "PAYMENT_FAILED"

    reason: str


class RefundInitiated(PaymentEvent):
    event_type: ClassVar[str] = "REFUND_INITIATED"


class RefundCompleted(PaymentEvent):
    event_type: ClassVar[str] = "REFUND_COMPLETED"

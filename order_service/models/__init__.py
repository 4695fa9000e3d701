"""The tables of orders_db: seven of business, the rest technical."""

from order_service.models.base import (
    Base,
    OrderNumber,
    UnpaidOrder,
    idempotency_keys,
    inbox,
    outbox,
)
from order_service.models.coupons import Coupon, CouponRedemption
from order_service.models.orders import (
    CANCELLABLE,
    ORDER_MOVES,
    SELLER_MOVES,
    IllegalTransition,
    Order,
    OrderItem,
    StatusChange,
)
from order_service.models.payments import (
    PAYMENT_MOVES,
    Payment,
    PaymentWebhookEvent,
    RefundExceedsCaptured,
)
from order_service.models.people import ErasedUser
from order_service.models.returns import ReturnRefund
from order_service.models.shipments import Shipment

__all__ = [
    "CANCELLABLE",
    "ORDER_MOVES",
    "PAYMENT_MOVES",
    "SELLER_MOVES",
    "Base",
    "Coupon",
    "CouponRedemption",
    "ErasedUser",
    "IllegalTransition",
    "Order",
    "OrderItem",
    "OrderNumber",
    "Payment",
    "PaymentWebhookEvent",
    "RefundExceedsCaptured",
    "ReturnRefund",
    "Shipment",
    "StatusChange",
    "UnpaidOrder",
    "idempotency_keys",
    "inbox",
    "outbox",
]

"""The enumerations of orders_db, as they are stored and as they travel."""

from enum import StrEnum


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    PROCESSING = "PROCESSING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"


class Action(StrEnum):
    """What somebody may do with an order now; it would succeed."""

    PAY = "PAY"
    CANCEL = "CANCEL"
    CONFIRM = "CONFIRM"
    PROCESS = "PROCESS"
    SHIP = "SHIP"
    DELIVER = "DELIVER"
    REFUND = "REFUND"


class PaymentMethod(StrEnum):
    UPI = "UPI"
    CARD = "CARD"
    NET_BANKING = "NET_BANKING"
    COD = "COD"
    WALLET = "WALLET"


class PaymentStatus(StrEnum):
    PENDING = "PENDING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


class PaymentPhase(StrEnum):
    """How far a payment got with the provider; `status` alone is what the shop acts on.

    INITIATED: the provider has not been asked. REQUESTED: a worker is asking. PROCESSING: the
    provider knows it and has not decided. UNKNOWN: no answer came. SETTLED: decided.
    """

    INITIATED = "INITIATED"
    REQUESTED = "REQUESTED"
    PROCESSING = "PROCESSING"
    UNKNOWN = "UNKNOWN"
    SETTLED = "SETTLED"


class ShipmentStatus(StrEnum):
    PREPARING = "PREPARING"
    PICKED_UP = "PICKED_UP"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class ReturnType(StrEnum):
    RETURN = "RETURN"
    REFUND = "REFUND"
    EXCHANGE = "EXCHANGE"


class ReturnStatus(StrEnum):
    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    PICKED_UP = "PICKED_UP"
    RECEIVED = "RECEIVED"
    REFUNDED = "REFUNDED"
    REJECTED = "REJECTED"


class CouponType(StrEnum):
    PERCENTAGE = "PERCENTAGE"
    FIXED = "FIXED"


class WebhookOutcome(StrEnum):
    APPLIED = "APPLIED"
    IGNORED = "IGNORED"
    QUARANTINED = "QUARANTINED"

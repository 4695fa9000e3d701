"""Events to make mails of; a test states only what matters to it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common_lib.events.catalog import (
    LowStockReached,
    ReviewApproved,
    ReviewRejected,
    StoreApproved,
    StoreOrderCancelled,
    StoreOrderReceived,
    StoreReinstated,
    StoreRejected,
    StoreSuspended,
)
from common_lib.events.orders import (
    CancelledBecause,
    ConfirmedBecause,
    OrderAmounts,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderLine,
    OrderPaymentDue,
    OrderShipped,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
)
from common_lib.events.users import (
    EmailChanged,
    EmailVerificationRequested,
    PasswordChanged,
    PasswordResetRequested,
    SecondFactorDisabled,
    SecondFactorEnabled,
    UserRegistered,
)
from common_lib.ids import new_id
from common_lib.money import Money

ORDER_NUMBER = "ORD-123456"
TOKEN = "one-time_token-of-a-mail"
EXPIRES_AT = datetime(2026, 11, 24, 9, 5, tzinfo=UTC)


def line(name: str = "Steel kettle", *, price: int = 149_900, quantity: int = 2) -> OrderLine:
    return OrderLine(
        order_item_id=new_id(),
        variant_id=new_id(),
        product_id=new_id(),
        sku="KET-1",
        name=name,
        quantity=quantity,
        unit_price=Money(amount=price),
        line_total=Money(amount=price * quantity),
    )


def order(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "order_id": new_id(),
        "order_number": ORDER_NUMBER,
        "user_id": new_id(),
        "email": "asha@example.com",
        "full_name": "Asha Rao",
        "reservation_id": new_id(),
        "total": Money(amount=299_800),
    }
    return values | changes


def payment(**changes: Any) -> dict[str, Any]:
    values = {"payment_id": new_id(), "amount": Money(amount=299_800), "method": "NET_BANKING"}
    return order(**values) | changes


def order_created(**changes: Any) -> OrderCreated:
    return OrderCreated(**order(lines=(line(),), payment_method="UPI") | changes)


def amounts(**changes: Any) -> OrderAmounts:
    """5,532.33 of goods with 51.00 off by a coupon, 49.00 of delivery and 18 % tax inside."""
    values: dict[str, Any] = {
        "subtotal": Money(amount=553_233),
        "discount": Money(amount=5_100),
        "shipping": Money(amount=4_900),
        "tax": Money(amount=83_612),
        "is_tax_included": True,
        "coupon_code": "SAVE51",
    }
    return OrderAmounts(**values | changes)


def order_confirmed(**changes: Any) -> OrderConfirmed:
    values = order(lines=(line(),), because=ConfirmedBecause.CASH_CHOSEN)
    return OrderConfirmed(**values | changes)


def order_payment_due(**changes: Any) -> OrderPaymentDue:
    return OrderPaymentDue(**order(pay_until=EXPIRES_AT) | changes)


def refund_completed(**changes: Any) -> RefundCompleted:
    return RefundCompleted(**payment() | changes)


def order_shipped(**changes: Any) -> OrderShipped:
    return OrderShipped(**order(carrier="Delhivery", tracking_number="DL123") | changes)


def order_delivered(**changes: Any) -> OrderDelivered:
    return OrderDelivered(**order(lines=(line(),)) | changes)


def order_cancelled(**changes: Any) -> OrderCancelled:
    return OrderCancelled(**order(reason="CUSTOMER_REQUEST") | changes)


def order_expired(**changes: Any) -> OrderCancelled:
    values = order(reason="not paid in time", because=CancelledBecause.NOT_PAID_IN_TIME)
    return OrderCancelled(**values | changes)


def payment_succeeded(**changes: Any) -> PaymentSucceeded:
    return PaymentSucceeded(**payment() | changes)


def payment_failed(**changes: Any) -> PaymentFailed:
    return PaymentFailed(**payment(reason="DECLINED_BY_BANK") | changes)


def person(**changes: Any) -> dict[str, Any]:
    return {"user_id": new_id(), "email": "asha@example.com", "full_name": "Asha Rao"} | changes


def user_registered(**changes: Any) -> UserRegistered:
    return UserRegistered(**person(**changes))


def email_verification_requested(**changes: Any) -> EmailVerificationRequested:
    return EmailVerificationRequested(**person(token=TOKEN, expires_at=EXPIRES_AT) | changes)


def password_reset_requested(**changes: Any) -> PasswordResetRequested:
    return PasswordResetRequested(**person(token=TOKEN, expires_at=EXPIRES_AT) | changes)


def password_changed(**changes: Any) -> PasswordChanged:
    return PasswordChanged(**person(**changes))


def email_changed(**changes: Any) -> EmailChanged:
    return EmailChanged(**person(**changes))


def mfa_enabled(**changes: Any) -> SecondFactorEnabled:
    return SecondFactorEnabled(**person(**changes))


def mfa_disabled(**changes: Any) -> SecondFactorDisabled:
    return SecondFactorDisabled(**person(**changes))


def low_stock(**changes: Any) -> LowStockReached:
    values: dict[str, Any] = {
        "variant_id": UUID(int=7),
        "product_id": new_id(),
        "sku": "KET-1",
        "name": "Steel kettle",
        "available": 3,
        "reorder_level": 5,
    }
    return LowStockReached(**values | changes)


def store(**changes: Any) -> dict[str, Any]:
    return person(store_id=new_id(), store_name="Kettles & Co") | changes


def store_approved(**changes: Any) -> StoreApproved:
    return StoreApproved(**store(**changes))


def store_rejected(**changes: Any) -> StoreRejected:
    return StoreRejected(**store(**changes))


def store_suspended(**changes: Any) -> StoreSuspended:
    return StoreSuspended(**store(**changes))


def store_reinstated(**changes: Any) -> StoreReinstated:
    return StoreReinstated(**store(**changes))


def store_order(**changes: Any) -> dict[str, Any]:
    values = {"order_id": new_id(), "order_number": ORDER_NUMBER, "lines": (line(),)}
    return store(**values, total=Money(amount=299_800)) | changes


def store_order_received(**changes: Any) -> StoreOrderReceived:
    return StoreOrderReceived(**store_order(**changes))


def store_order_cancelled(**changes: Any) -> StoreOrderCancelled:
    return StoreOrderCancelled(**store_order(**changes))


def review(**changes: Any) -> dict[str, Any]:
    values = {"review_id": new_id(), "product_id": new_id(), "product_name": "Steel kettle"}
    return person(**values) | changes


def review_approved(**changes: Any) -> ReviewApproved:
    return ReviewApproved(**review(**changes))


def review_rejected(**changes: Any) -> ReviewRejected:
    return ReviewRejected(**review(note="Please leave the delivery out of it") | changes)

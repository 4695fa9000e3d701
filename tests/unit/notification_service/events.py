"""Events to make mails of; a test states only what matters to it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common_lib.events.catalog import LowStockReached
from common_lib.events.orders import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderLine,
    OrderShipped,
    PaymentFailed,
    PaymentSucceeded,
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


def order_shipped(**changes: Any) -> OrderShipped:
    return OrderShipped(**order(carrier="Delhivery", tracking_number="DL123") | changes)


def order_delivered(**changes: Any) -> OrderDelivered:
    return OrderDelivered(**order(lines=(line(),)) | changes)


def order_cancelled(**changes: Any) -> OrderCancelled:
    return OrderCancelled(**order(reason="CUSTOMER_REQUEST") | changes)


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

"""Valid examples of what the order service works with; a test states only what matters."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from common_lib.ids import created_at, new_id
from common_lib.money import Money
from order_service.models import Order, Payment
from order_service.models.records import Reservation, ReservedLine
from order_service.schemas.enums import (
    CouponType,
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
)
from order_service.services.drafting import Wish, reservation_id_of
from order_service.services.pricing import CouponRule, Tariff
from order_service.settings import FreeShippingBasis

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2099, 1, 1, tzinfo=UTC)
ADDRESS = {
    "fullName": "Asha Rao",
    "phone": "+919812345678",
    "addressLine1": "12 MG Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": "560001",
}


def inr(amount: int) -> Money:
    return Money(amount=amount, currency="INR")


def a_line(price: int, quantity: int = 1) -> ReservedLine:
    return ReservedLine(
        variant_id=uuid4(),
        product_id=uuid4(),
        sku="K-1",
        name="Kettle",
        seller_id=uuid4(),
        quantity=quantity,
        unit_price=inr(price),
    )


def a_tariff(**changes: Any) -> Tariff:
    usual: dict[str, Any] = {
        "currency": "INR",
        "tax_basis_points": 0,
        "is_tax_included": True,
        "shipping_fee_minor": 0,
        "free_shipping_from_minor": 0,
        "free_shipping_basis": FreeShippingBasis.BEFORE_DISCOUNT,
    }
    return Tariff(**usual | changes)


def a_coupon(**changes: Any) -> CouponRule:
    usual: dict[str, Any] = {
        "id": uuid4(),
        "code": "SAVE",
        "type": CouponType.PERCENTAGE,
        "percent_basis_points": 1000,
        "amount_minor": None,
        "max_discount_minor": None,
        "min_order_minor": 0,
        "currency": "INR",
        "usage_limit": None,
        "per_user_limit": 1,
        "used_count": 0,
        "valid_from": LONG_AGO,
        "valid_until": FAR_AHEAD,
        "is_active": True,
    }
    return CouponRule(**usual | changes)


def a_fixed_coupon(amount: int, **changes: Any) -> CouponRule:
    return a_coupon(
        type=CouponType.FIXED, percent_basis_points=None, amount_minor=amount, **changes
    )


def a_wish(**changes: Any) -> Wish:
    usual: dict[str, Any] = {
        "user_id": uuid4(),
        "email": "asha@example.com",
        "full_name": "Asha Rao",
        "idempotency_key": "key-1",
        "fingerprint": bytes(range(32)),
        "payment_method": PaymentMethod.UPI,
        "payment_token": None,
        "shipping_address": ADDRESS,
        "notes": None,
        "coupon": None,
        "expected_total": None,
    }
    return Wish(**usual | changes)


def a_reservation(wish: Wish, *lines: ReservedLine) -> Reservation:
    reservation_id = reservation_id_of(wish.user_id, wish.idempotency_key)
    return Reservation(reservation_id, new_id(), lines)


def an_order(status: OrderStatus = OrderStatus.PENDING, **changes: Any) -> Order:
    order_id: UUID = new_id()
    usual: dict[str, Any] = {
        "id": order_id,
        "created_at": created_at(order_id),
        "order_number": "ORD-1234567890",
        "user_id": uuid4(),
        "email": "asha@example.com",
        "full_name": "Asha Rao",
        "status": status,
        "reservation_id": uuid4(),
        "idempotency_key": "key-1",
        "payment_method": PaymentMethod.UPI,
        "currency": "INR",
        "subtotal_minor": 50_000,
        "discount_minor": 0,
        "tax_minor": 0,
        "is_tax_included": True,
        "shipping_minor": 0,
        "total_minor": 50_000,
        "coupon_code": None,
        "shipping_address": ADDRESS,
        "notes": None,
        "version": 1,
        "updated_at": created_at(order_id),
    }
    return Order(**usual | changes)


def a_payment(order: Order, **changes: Any) -> Payment:
    usual: dict[str, Any] = {
        "id": new_id(),
        "order_id": order.id,
        "attempt": 1,
        "method": PaymentMethod.UPI,
        "status": PaymentStatus.PENDING,
        "phase": PaymentPhase.REQUESTED,
        "provider": "sandbox",
        "provider_payment_id": None,
        "provider_token": "tok_success",
        "currency": "INR",
        "amount_minor": order.total_minor,
        "captured_minor": 0,
        "refunded_minor": 0,
        "failure_code": None,
        "checks": 0,
        "next_action_at": None,
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
    }
    return Payment(**usual | changes)

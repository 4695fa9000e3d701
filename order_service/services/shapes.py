"""Orders and payments as they travel: plain dictionaries for orjson.

Building them by hand costs a tenth of the models' way; a test holds them against the models.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from common_lib.clock import rfc3339
from common_lib.money import Money
from order_service.models import OrderItem, Payment, ReturnRefund
from order_service.models.records import ItemRecord, OrderDetail, PaymentRecord
from order_service.schemas.enums import PaymentMethod, PaymentPhase, PaymentStatus

Document = dict[str, Any]

# Attempts no provider refused: the order moved on without them.
SUPERSEDED: Final = "superseded"
ORDER_CANCELLED: Final = "order_cancelled"
CLOSED_BY_US: Final = (SUPERSEDED, ORDER_CANCELLED)

_PAY: Final = "Send a paymentToken to start the payment"
_PAY_AGAIN: Final = "The payment failed; send another paymentToken to try again"


def money(amount: int, currency: str) -> Document:
    return {"amount": amount, "currency": currency}


def order_document(detail: OrderDetail) -> Document:
    """Return the Order of the API."""
    order, currency = detail.order, detail.order.currency
    return {
        "id": str(order.id),
        "orderNumber": order.order_number,
        "userId": str(order.user_id),
        "status": order.status.value,
        "items": [_item_document(item, currency) for item in detail.items],
        "subtotal": money(order.subtotal_minor, currency),
        "discount": money(order.discount_minor, currency),
        "tax": money(order.tax_minor, currency),
        "shipping": money(order.shipping_minor, currency),
        "total": money(order.total_minor, currency),
        "couponCode": order.coupon_code,
        "shippingAddress": order.shipping_address,
        "notes": order.notes,
        "payment": _order_payment(detail.payment) if detail.payment else None,
        "version": order.version,
        "createdAt": rfc3339(order.created_at),
    }


def payment_document(payment: PaymentRecord | Payment) -> Document:
    """Return the Payment of the API."""
    currency = payment.currency
    return {
        "id": str(payment.id),
        "orderId": str(payment.order_id),
        "attempt": payment.attempt,
        "method": payment.method.value,
        "status": payment.status.value,
        "phase": payment.phase.value,
        "provider": payment.provider,
        "amount": money(payment.amount_minor, currency),
        "captured": money(payment.captured_minor, currency),
        "refunded": money(payment.refunded_minor, currency),
        "failureCode": payment.failure_code,
        "nextAction": next_action(payment),
        "createdAt": rfc3339(payment.created_at),
    }


def refund_document(refund: ReturnRefund) -> Document:
    """Return the Refund of the API."""
    return {
        "id": str(refund.id),
        "paymentId": str(refund.payment_id),
        "orderId": str(refund.order_id),
        "amount": money(refund.amount_minor, refund.currency),
        "status": refund.status.value,
        "reason": refund.reason,
        "createdAt": rfc3339(refund.created_at),
    }


def next_action(payment: PaymentRecord | Payment) -> Document | None:
    """Return what the customer has to do for the payment to go on; None when nothing."""
    if payment.status is PaymentStatus.FAILED and payment.failure_code not in CLOSED_BY_US:
        return _pay_action(payment.order_id, _PAY_AGAIN)
    is_waiting = payment.phase is PaymentPhase.INITIATED and payment.next_action_at is None
    is_online = payment.method is not PaymentMethod.COD
    if payment.status is PaymentStatus.PENDING and is_waiting and is_online:
        return _pay_action(payment.order_id, _PAY)
    return None


def event_lines(
    items: Sequence[ItemRecord] | Sequence[OrderItem], currency: str
) -> list[Mapping[str, Any]]:
    """Return the lines of an order as its events carry them."""
    return [
        {
            "order_item_id": item.id,
            "variant_id": item.variant_id,
            "product_id": item.product_id,
            "seller_id": item.seller_id,
            "sku": item.sku,
            "name": item.name,
            "quantity": item.quantity,
            "unit_price": Money(amount=item.unit_price_minor, currency=currency),
            "line_total": Money(amount=item.line_total_minor, currency=currency),
        }
        for item in items
    ]


def _item_document(item: ItemRecord, currency: str) -> Document:
    return {
        "id": str(item.id),
        "variantId": str(item.variant_id),
        "productId": str(item.product_id),
        "sku": item.sku,
        "name": item.name,
        "quantity": item.quantity,
        "unitPrice": money(item.unit_price_minor, currency),
        "lineTotal": money(item.line_total_minor, currency),
    }


def _order_payment(payment: PaymentRecord) -> Document:
    return {
        "id": str(payment.id),
        "method": payment.method.value,
        "status": payment.status.value,
        "provider": payment.provider,
        "nextAction": next_action(payment),
    }


def _pay_action(order_id: UUID, detail: str) -> Document:
    return {
        "type": "start_payment",
        "method": "POST",
        "href": f"/api/orders/{order_id}/payments",
        "detail": detail,
    }

"""Orders and payments as they travel: plain dictionaries for orjson.

Building them by hand costs a tenth of the models' way; a test holds them against the models.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from common_lib.clock import rfc3339
from common_lib.money import Money
from order_service.models import OrderItem, Payment, ReturnRefund
from order_service.models.consequences import moves_from
from order_service.models.failures import failure_in_words
from order_service.models.records import ItemRecord, OrderDetail, PaymentRecord
from order_service.schemas.enums import Action, OrderStatus, PaymentStatus

Document = dict[str, Any]

# Attempts no provider refused: the order moved on without them.
SUPERSEDED: Final = "superseded"
ORDER_CANCELLED: Final = "order_cancelled"

_PAY: Final = "Send a paymentToken to start the payment"
_PAY_AGAIN: Final = "The payment failed; send another paymentToken to try again"


def money(amount: int, currency: str) -> Document:
    return {"amount": amount, "currency": currency}


def order_document(detail: OrderDetail, actions: Sequence[Action] | None = None) -> Document:
    """Return the Order of the API as its buyer sees it, who may do `actions` now."""
    order, currency = detail.order, detail.order.currency
    payment = detail.payment
    offered = buyer_actions(detail) if actions is None else actions
    return {
        "id": str(order.id),
        "orderNumber": order.order_number,
        "userId": str(order.user_id),
        "status": order.status.value,
        "items": [item_document(item, currency) for item in detail.items],
        "subtotal": money(order.subtotal_minor, currency),
        "discount": money(order.discount_minor, currency),
        "tax": money(order.tax_minor, currency),
        "isTaxIncluded": order.is_tax_included,
        "shipping": money(order.shipping_minor, currency),
        "total": money(order.total_minor, currency),
        "couponCode": order.coupon_code,
        "shippingAddress": order.shipping_address,
        "notes": order.notes,
        "payment": order_payment(payment, is_payable=detail.is_payable) if payment else None,
        "expiresAt": rfc3339(detail.due_at) if detail.due_at else None,
        "actions": [action.value for action in offered],
        "version": order.version,
        "createdAt": rfc3339(order.created_at),
    }


def buyer_actions(detail: OrderDetail) -> list[Action]:
    """Return what the order's buyer may do now, and would succeed with."""
    possible = moves_from(detail.order.status, holds_money=detail.holds_money)
    pay = [Action.PAY] if detail.is_payable else []
    return [*pay, *([Action.CANCEL] if OrderStatus.CANCELLED in possible else [])]


def payment_document(payment: PaymentRecord | Payment, *, is_payable: bool) -> Document:
    """Return the Payment of the API; `is_payable` says whether its order can be paid now."""
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
        "failureText": _failure_text(payment),
        "nextAction": next_action(payment, is_payable=is_payable),
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


def next_action(payment: PaymentRecord | Payment, *, is_payable: bool) -> Document | None:
    """Return what the customer has to do to get on with paying; None when nothing, or in vain."""
    if not is_payable or payment.status not in (PaymentStatus.FAILED, PaymentStatus.PENDING):
        return None
    has_failed = payment.status is PaymentStatus.FAILED
    return _pay_action(payment.order_id, _PAY_AGAIN if has_failed else _PAY)


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


def item_document(item: ItemRecord, currency: str) -> Document:
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


def order_payment(payment: PaymentRecord, *, is_payable: bool) -> Document:
    """Return what an order says of its latest payment."""
    return {
        "id": str(payment.id),
        "method": payment.method.value,
        "status": payment.status.value,
        "provider": payment.provider,
        "failureText": _failure_text(payment),
        "nextAction": next_action(payment, is_payable=is_payable),
    }


def _failure_text(payment: PaymentRecord | Payment) -> str | None:
    return failure_in_words(payment.failure_code) if payment.failure_code else None


def _pay_action(order_id: UUID, detail: str) -> Document:
    return {
        "type": "start_payment",
        "method": "POST",
        "href": f"/api/orders/{order_id}/payments",
        "detail": detail,
    }

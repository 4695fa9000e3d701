"""From a priced reservation to everything that is written when an order is placed."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from common_lib.clock import now
from common_lib.events import Event
from common_lib.events.orders import (
    ConfirmedBecause,
    NextStep,
    OrderAmounts,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
)
from common_lib.ids import created_at, new_id
from common_lib.money import Money
from order_service.models import Order
from order_service.models.records import (
    ItemRecord,
    OrderDetail,
    OrderRecord,
    PaymentRecord,
    Reservation,
)
from order_service.queries.placing import Decision
from order_service.schemas.enums import OrderStatus, PaymentMethod, PaymentPhase, PaymentStatus
from order_service.services.pricing import CouponRule, PricedLine, Totals
from order_service.services.shapes import event_lines, order_document

CREATED: Final = 201
PROVIDER_OF_CASH: Final = "cash"
_NUMBERS: Final = 9 * 10**9


@dataclass(frozen=True, slots=True)
class Wish:
    """What the buyer asked for, with everything about the buyer that the order keeps."""

    user_id: UUID
    email: str
    full_name: str
    idempotency_key: str
    fingerprint: bytes
    payment_method: PaymentMethod
    payment_token: str | None
    shipping_address: dict[str, Any]
    notes: str | None
    coupon: CouponRule | None
    expected_total: Money | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The shop's side: who takes the money and how long an order waits for it."""

    provider: str
    unpaid_ttl: timedelta


def reservation_id_of(user_id: UUID, idempotency_key: str) -> UUID:
    """Return the reservation's id, the same for every attempt with the key (RFC 9562, v8)."""
    digest = hashlib.sha256(b"reservation\0" + user_id.bytes + idempotency_key.encode()).digest()
    return UUID(int=int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62) | _VERSION_8)


_VERSION_8: Final = (0x8 << 76) | (0x2 << 62)


def draft(
    wish: Wish, reservation: Reservation, totals: Totals, terms: Terms, slot: int | None
) -> Decision:
    """Return what TX2 writes. Cash on delivery and free orders are confirmed at once."""
    moment = now()
    is_confirmed = is_confirmed_at_once(wish.payment_method, totals.total)
    order = _order(wish, reservation, totals, is_confirmed=is_confirmed)
    items = tuple(_item(order.id, number, line) for number, line in enumerate(totals.lines, 1))
    payment = _payment(wish, order, terms, moment)
    due_at = None if is_confirmed else moment + terms.unpaid_ttl
    body = order_document(OrderDetail(order, items, payment, due_at))
    return Decision(
        order=order,
        items=items,
        history=_history(is_confirmed=is_confirmed),
        payment=payment,
        payment_token=wish.payment_token if payment.next_action_at else None,
        events=_events(order, items, payment, due_at),
        idempotency_key=wish.idempotency_key,
        fingerprint=wish.fingerprint,
        response_status=CREATED,
        response_body=orjson.dumps(body),
        slot=slot,
        due_at=due_at,
        coupon_id=wish.coupon.id if wish.coupon else None,
        coupon_use=wish.coupon.next_use() if wish.coupon else None,
    )


def is_confirmed_at_once(method: PaymentMethod, total: Money) -> bool:
    return method is PaymentMethod.COD or total.amount == 0


def _order(
    wish: Wish, reservation: Reservation, totals: Totals, *, is_confirmed: bool
) -> OrderRecord:
    return OrderRecord(
        id=reservation.order_id,
        created_at=created_at(reservation.order_id),
        order_number=f"ORD-{10**9 + secrets.randbelow(_NUMBERS)}",
        user_id=wish.user_id,
        email=wish.email,
        full_name=wish.full_name,
        status=OrderStatus.CONFIRMED if is_confirmed else OrderStatus.PENDING,
        reservation_id=reservation.id,
        payment_method=wish.payment_method,
        currency=totals.total.currency,
        subtotal_minor=totals.subtotal.amount,
        discount_minor=totals.discount.amount,
        tax_minor=totals.tax.amount,
        is_tax_included=totals.is_tax_included,
        shipping_minor=totals.shipping.amount,
        total_minor=totals.total.amount,
        coupon_code=wish.coupon.code if wish.coupon else None,
        shipping_address=wish.shipping_address,
        notes=wish.notes,
        version=2 if is_confirmed else 1,
    )


def _item(order_id: UUID, number: int, line: PricedLine) -> ItemRecord:
    reserved = line.reserved
    return ItemRecord(
        id=new_id(),
        order_id=order_id,
        line_no=number,
        variant_id=reserved.variant_id,
        product_id=reserved.product_id,
        seller_id=reserved.seller_id,
        sku=reserved.sku,
        name=reserved.name,
        quantity=reserved.quantity,
        unit_price_minor=reserved.unit_price.amount,
        line_total_minor=line.line_total,
        discount_minor=line.discount,
        tax_minor=line.tax,
    )


def _payment(wish: Wish, order: OrderRecord, terms: Terms, moment: datetime) -> PaymentRecord:
    """Return the intent: due at once with a token, else waiting for one; nothing to pay is paid."""
    is_cash = wish.payment_method is PaymentMethod.COD
    is_free = order.total_minor == 0
    is_due = wish.payment_token is not None and not is_free
    return PaymentRecord(
        id=new_id(),
        order_id=order.id,
        attempt=1,
        method=wish.payment_method,
        status=PaymentStatus.SUCCESS if is_free else PaymentStatus.PENDING,
        phase=PaymentPhase.SETTLED if is_free else PaymentPhase.INITIATED,
        provider=PROVIDER_OF_CASH if is_cash else terms.provider,
        currency=order.currency,
        amount_minor=order.total_minor,
        captured_minor=0,
        refunded_minor=0,
        failure_code=None,
        next_action_at=moment if is_due else None,
        created_at=moment,
    )


def _history(*, is_confirmed: bool) -> list[tuple[OrderStatus | None, OrderStatus]]:
    placed: list[tuple[OrderStatus | None, OrderStatus]] = [(None, OrderStatus.PENDING)]
    if is_confirmed:
        placed.append((OrderStatus.PENDING, OrderStatus.CONFIRMED))
    return placed


def _events(
    order: OrderRecord,
    items: tuple[ItemRecord, ...],
    payment: PaymentRecord,
    due_at: datetime | None,
) -> list[Event]:
    is_confirmed = due_at is None
    about = event_fields(order)
    lines = tuple(OrderLine.model_construct(**line) for line in event_lines(items, order.currency))
    method = order.payment_method.value
    step, until = _next_step(order, payment), due_at
    created = OrderCreated(
        **about, lines=lines, payment_method=method, next_step=step, pay_until=until
    )
    if not is_confirmed:
        return [created]
    return [created, OrderConfirmed(**about, lines=lines, because=ConfirmedBecause.PLACED)]


def _next_step(order: OrderRecord, payment: PaymentRecord) -> NextStep:
    if payment.status is PaymentStatus.SUCCESS:
        return NextStep.NOTHING_TO_PAY
    if order.payment_method is PaymentMethod.COD:
        return NextStep.CASH_ON_DELIVERY
    return NextStep.PAYMENT_UNDER_WAY if payment.next_action_at else NextStep.PAY


def event_fields(order: OrderRecord | Order) -> dict[str, Any]:
    """Return what every order event carries."""
    return {
        "order_id": order.id,
        "order_number": order.order_number,
        "user_id": order.user_id,
        "email": order.email,
        "full_name": order.full_name,
        "reservation_id": order.reservation_id,
        "total": Money(amount=order.total_minor, currency=order.currency),
        "amounts": _amounts(order),
    }


def _amounts(order: OrderRecord | Order) -> OrderAmounts:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=order.currency)

    return OrderAmounts(
        subtotal=money(order.subtotal_minor),
        discount=money(order.discount_minor),
        shipping=money(order.shipping_minor),
        tax=money(order.tax_minor),
        is_tax_included=order.is_tax_included,
        coupon_code=order.coupon_code,
    )

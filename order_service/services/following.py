"""Carries out what the table of consequences says, whatever happens to an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.events import Event
from common_lib.events.orders import (
    CancelledBecause,
    ConfirmedBecause,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentFailed,
    PaymentSucceeded,
)
from common_lib.ids import new_id
from common_lib.outbox import enqueue
from order_service.models import Order, Payment, RefundExceedsCaptured, Shipment
from order_service.models.consequences import (
    Consequence,
    MoneyEffect,
    ParcelEffect,
    Trigger,
    consequence_of,
    moves_from,
)
from order_service.models.failures import failure_in_words
from order_service.models.orders import IllegalTransition
from order_service.queries import coupons as coupons_sql
from order_service.queries import orders as sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import OrderStatus, ShipmentStatus
from order_service.services import promises
from order_service.services.drafting import event_fields
from order_service.services.shapes import ORDER_CANCELLED, SUPERSEDED, event_lines

_CONFIRMED_BECAUSE: Final = {
    Trigger.CONFIRM: ConfirmedBecause.PAID,
    Trigger.PAID: ConfirmedBecause.PAID,
    Trigger.CASH_CHOSEN: ConfirmedBecause.CASH_CHOSEN,
}
_CANCELLED_BECAUSE: Final = {
    Trigger.EXPIRE: CancelledBecause.NOT_PAID_IN_TIME,
    Trigger.REFUNDED_IN_FULL: CancelledBecause.REFUNDED,
}


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to a locked order and its locked payments.

    `payment` is the one in question, `by` who does it (None is the system), `note` what the
    timeline says of it, `reason` why an order ends or money goes back.
    """

    trigger: Trigger
    order: Order
    payments: Sequence[Payment]
    payment: Payment | None = None
    by: UUID | None = None
    note: str | None = None
    reason: str = ""


async def follow(session: WriteSession, happening: Happening) -> None:
    """Do all that follows. Raises IllegalTransition or RefundExceedsCaptured; then nothing is done.

    The order's row is locked, so that of two that exclude each other exactly one happens.
    """
    cell = _cell(happening)
    order = happening.order
    was_to_be_sent = order.status is not OrderStatus.PENDING
    refund = promises.held(order, happening.payments)
    if cell.becomes is not None:
        note = happening.note or happening.reason or None
        session.add(order.move_to(cell.becomes, by=happening.by, note=note))
    if cell.is_slot_freed:
        await sql.free_slot(session, order.id)
    if cell.is_coupon_given_back:
        await coupons_sql.give_back(session, order.id)
    await _move_money(session, happening, cell)
    await _move_parcel(session, order, cell.parcel)
    for kind in cell.events:
        extra = await _extra(session, happening, kind)
        if kind is OrderCancelled:
            extra["lines"] = await _lines(session, order) if was_to_be_sent else ()
            extra["refund"] = refund if refund.amount else _given_back(happening)
        await _tell(session, kind(**event_fields(order), **extra))


def _cell(happening: Happening) -> Consequence:
    order = happening.order
    money = promises.held(order, happening.payments)
    cell = consequence_of(happening.trigger, order.status)
    if cell is None:
        raise illegal(order, happening.payments)
    if cell.needs_money and money.amount == 0:
        raise RefundExceedsCaptured(
            "nothing was paid that could be given back", refundable=money.model_dump()
        )
    return cell


def illegal(order: Order, payments: Sequence[Payment]) -> IllegalTransition:
    """Return the refusal of a move, with those that would be possible now."""
    holds_money = promises.held(order, payments).amount > 0
    return IllegalTransition(
        f"that cannot be done with an order that is {order.status.lower()}",
        status=order.status,
        allowed=sorted(moves_from(order.status, holds_money=holds_money)),
    )


async def _move_money(session: WriteSession, happening: Happening, cell: Consequence) -> None:
    order, payments, by = happening.order, happening.payments, happening.by
    match cell.money:
        case MoneyEffect.KEEP:
            return
        case MoneyEffect.RECORD:
            await promises.record_by_hand(session, order, payments)
        case MoneyEffect.COLLECT:
            await promises.collect_cash(session, order, payments)
        case MoneyEffect.CLOSE_OTHERS:
            promises.close_unsent([p for p in payments if p is not happening.payment], SUPERSEDED)
        case MoneyEffect.GIVE_BACK:
            promises.close_unsent(payments, ORDER_CANCELLED)
            reason = happening.reason or "refund"
            await promises.promise_all_back(session, order, payments, reason=reason, by=by)
        case MoneyEffect.GIVE_BACK_THIS if happening.payment is not None:
            payment, reason = happening.payment, promises.LATE_CAPTURE
            await promises.promise_back(
                session, order, payment, payment.refundable, reason=reason, by=by
            )


async def _move_parcel(session: WriteSession, order: Order, effect: ParcelEffect) -> None:
    if effect is ParcelEffect.SEND:
        session.add(_parcel(order))
    if effect is not ParcelEffect.ARRIVE:
        return
    parcel = await sql.shipment_under_way(session, order.id)
    if parcel is not None:
        parcel.status = ShipmentStatus.DELIVERED
        parcel.delivered_at = parcel.updated_at = now()
        parcel.version += 1


def _parcel(order: Order) -> Shipment:
    moment = now()
    return Shipment(
        id=new_id(),
        order_id=order.id,
        status=ShipmentStatus.IN_TRANSIT,
        shipped_at=moment,
        version=1,
        created_at=moment,
        updated_at=moment,
    )


async def _extra(
    session: WriteSession, happening: Happening, kind: type[OrderEvent]
) -> dict[str, Any]:
    """Return what an event says besides what all order events say."""
    order, payment = happening.order, happening.payment
    if kind is OrderConfirmed:
        because = _CONFIRMED_BECAUSE[happening.trigger]
        return {"because": because, "lines": await _lines(session, order)}
    if kind is OrderCancelled:
        return {"reason": happening.reason, "because": _cancelled_because(happening)}
    if kind is OrderDelivered:
        return {"lines": await _lines(session, order)}
    if payment is None:
        return {}
    return await _about_payment(session, order, payment, kind)


async def _about_payment(
    session: WriteSession, order: Order, payment: Payment, kind: type[OrderEvent]
) -> dict[str, Any]:
    about = {"payment_id": payment.id, "amount": payment.amount, "method": payment.method.value}
    if kind is PaymentSucceeded:
        return {**about, "order_status": order.status.value}
    if kind is PaymentFailed:
        code = payment.failure_code or ""
        due_at = await sql.due_at_of(session, order.id)
        words = failure_in_words(code)
        return {**about, "reason": code, "reason_text": words, "pay_until": due_at}
    return {}


def _cancelled_because(happening: Happening) -> CancelledBecause:
    is_buyer = happening.by == happening.order.user_id
    by_person = CancelledBecause.CUSTOMER if is_buyer else CancelledBecause.SHOP
    return _CANCELLED_BECAUSE.get(happening.trigger, by_person)


def _given_back(happening: Happening) -> Any:
    """Return what the refund that ended the order gives back; None where nothing was paid."""
    if happening.trigger is not Trigger.REFUNDED_IN_FULL:
        return None
    order, payments = happening.order, happening.payments
    captured = sum(payment.captured_minor for payment in payments)
    return order.total.model_copy(update={"amount": captured}) if captured else None


async def _lines(session: WriteSession, order: Order) -> tuple[OrderLine, ...]:
    items = await sql.items_of(session, order.id)
    return tuple(OrderLine.model_validate(line) for line in event_lines(items, order.currency))


async def _tell(session: WriteSession, event: Event) -> None:
    await enqueue(session, event, source=SOURCE)

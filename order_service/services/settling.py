"""What is learned about a payment, from wherever it comes, and what follows from it.

The direct reply, the webhook and the reconciler all end in `learn`. It only moves forward, so late
and reordered news do no harm, and a repeated piece of news changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.events import Event
from common_lib.events.orders import (
    OrderConfirmed,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
    RefundInitiated,
)
from common_lib.ids import new_id
from common_lib.money import Money
from common_lib.outbox import enqueue
from order_service.clients.payments import ProviderReply, ProviderStatus
from order_service.models import Order, Payment, ReturnRefund
from order_service.queries import orders as orders_sql
from order_service.queries import payments as payments_sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import (
    OrderStatus,
    PaymentPhase,
    PaymentStatus,
)
from order_service.services.drafting import PROVIDER_OF_CASH, event_fields
from order_service.services.shapes import SUPERSEDED

log = structlog.get_logger(__name__)

# When a payment that is not decided is looked at again, counted from the look before.
RECONCILE_AFTER: Final = tuple(
    timedelta(seconds=seconds) for seconds in (30, 120, 600, 3600, 86_400)
)
LATE_CAPTURE: Final = "the order was no longer to be paid"

PAYMENTS: Final = Counter("payments_total", "What became of payments", ["outcome"])
ALERTS: Final = Counter("payment_alerts_total", "What a person should look at", ["reason"])


@dataclass(slots=True)
class Locked:
    """An order and its payments, locked in this order, and the payment in question."""

    order: Order
    payments: Sequence[Payment]
    payment: Payment

    @property
    def others(self) -> list[Payment]:
        return [other for other in self.payments if other is not self.payment]

    @property
    def is_paid_otherwise(self) -> bool:
        return any(other.captured_minor > other.refunded_minor for other in self.others)


async def lock(session: WriteSession, payment_id: UUID) -> Locked | None:
    """Lock the order, then its payments; None where there is no such payment."""
    order_id = await payments_sql.order_of_payment(session, payment_id)
    order = await orders_sql.lock_order(session, order_id) if order_id else None
    if order is None:
        return None
    payments = await orders_sql.lock_payments(session, order.id)
    return Locked(order, payments, next(p for p in payments if p.id == payment_id))


async def learn(session: WriteSession, locked: Locked, reply: ProviderReply | None) -> None:
    """Take in what the provider says; None stands for no answer, which is never a failure."""
    if reply is None:
        _keep_waiting(locked.payment, PaymentPhase.UNKNOWN)
    elif reply.status is ProviderStatus.FAILED:
        await _failed(session, locked, reply)
    elif is_mismatch(locked.payment, reply):
        _alert("amount_mismatch", locked.payment)
        _keep_waiting(locked.payment, PaymentPhase.UNKNOWN)
    elif reply.status is ProviderStatus.PROCESSING:
        _still_processing(locked.payment, reply)
    else:
        await _succeeded(session, locked, reply)


def is_mismatch(payment: Payment, reply: ProviderReply) -> bool:
    """Tell whether the provider speaks of another amount or currency than was asked for."""
    return reply.amount is not None and reply.amount != payment.amount


async def settle_cash(session: WriteSession, locked: Locked) -> None:
    """Count cash on delivery as paid: the parcel was handed over."""
    locked.payment.succeed(None)
    await _tell(session, PaymentSucceeded(**payment_fields(locked.order, locked.payment)))


async def settle_by_hand(session: WriteSession, order: Order) -> None:
    """Record that an administrator has the money for an order no provider was paid for."""
    payments = await orders_sql.lock_payments(session, order.id)
    set_aside(payments)
    moment = now()
    payment = Payment(
        id=new_id(),
        order_id=order.id,
        attempt=max((payment.attempt for payment in payments), default=0) + 1,
        method=order.payment_method,
        status=PaymentStatus.SUCCESS,
        phase=PaymentPhase.SETTLED,
        provider=PROVIDER_OF_CASH,
        currency=order.currency,
        amount_minor=order.total_minor,
        captured_minor=order.total_minor,
        refunded_minor=0,
        checks=0,
        created_at=moment,
        updated_at=moment,
    )
    session.add(payment)
    await _tell(session, PaymentSucceeded(**payment_fields(order, payment)))


def set_aside(payments: Sequence[Payment]) -> None:
    """Close the attempts no provider has heard of: another took their place."""
    for payment in payments:
        if payment.status is PaymentStatus.PENDING and payment.phase is PaymentPhase.INITIATED:
            payment.fail(SUPERSEDED)


async def give_back(
    session: WriteSession,
    locked: Locked,
    amount: Money,
    reason: str,
    by: UUID | None = None,
) -> ReturnRefund:
    """Promise money back; a worker hands it out once. Raises RefundExceedsCaptured."""
    refund = ReturnRefund.of_payment(locked.payment, amount, reason=reason, by=by)
    session.add(refund)
    about = payment_fields(locked.order, locked.payment, amount)
    await _tell(session, RefundInitiated(**about))
    return refund


async def give_back_all(
    session: WriteSession,
    order: Order,
    payments: Sequence[Payment],
    reason: str,
    by: UUID | None = None,
) -> None:
    """Promise back whatever was captured and not given back yet."""
    for payment in payments:
        if payment.refundable.amount:
            locked = Locked(order, payments, payment)
            await give_back(session, locked, payment.refundable, reason, by)


async def refunded(
    session: WriteSession, locked: Locked, refund: ReturnRefund, provider_refund_id: str | None
) -> None:
    """Mark a refund as made; the payment is REFUNDED once nothing of it is left."""
    refund.complete(provider_refund_id)
    payment, order = locked.payment, locked.order
    if payment.refundable.amount == 0 and payment.can_become(PaymentStatus.REFUNDED):
        payment.status = PaymentStatus.REFUNDED
        if order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
            session.add(order.move_to(OrderStatus.REFUNDED, note="all was given back"))
    await _tell(session, RefundCompleted(**payment_fields(order, payment, refund.amount)))


def payment_fields(order: Order, payment: Payment, amount: Money | None = None) -> dict[str, Any]:
    """Return what every event about a payment carries."""
    return {
        **event_fields(order),
        "payment_id": payment.id,
        "amount": amount or payment.amount,
        "method": payment.method.value,
    }


async def confirm(session: WriteSession, order: Order, note: str | None = None) -> Event:
    """Move a PENDING order on and give its slot back; returns the event still to be told."""
    session.add(order.move_to(OrderStatus.CONFIRMED, note=note))
    await orders_sql.free_slot(session, order.id)
    return confirmed_event(order)


def confirmed_event(order: Order) -> Event:
    return OrderConfirmed(**event_fields(order))


async def _succeeded(session: WriteSession, locked: Locked, reply: ProviderReply) -> None:
    order, payment = locked.order, locked.payment
    if not payment.can_become(PaymentStatus.SUCCESS):
        return
    payment.succeed(reply.payment_id)
    PAYMENTS.labels("succeeded").inc()
    is_over = order.status in (OrderStatus.CANCELLED, OrderStatus.REFUNDED)
    if is_over or locked.is_paid_otherwise:
        await give_back(session, locked, payment.refundable, LATE_CAPTURE)
        return
    events: list[Event] = [PaymentSucceeded(**payment_fields(order, payment))]
    if order.status is OrderStatus.PENDING:
        events.append(await confirm(session, order, "paid"))
    set_aside(locked.others)
    await _tell(session, *events)


async def _failed(session: WriteSession, locked: Locked, reply: ProviderReply) -> None:
    """Record a refusal; the order stays payable."""
    order, payment = locked.order, locked.payment
    if not payment.can_become(PaymentStatus.FAILED):
        return
    reason = reply.failure_code or "refused"
    payment.fail(reason, reply.payment_id)
    PAYMENTS.labels("failed").inc()
    if order.status is OrderStatus.PENDING:
        await _tell(session, PaymentFailed(**payment_fields(order, payment), reason=reason))


def _still_processing(payment: Payment, reply: ProviderReply) -> None:
    if payment.status is PaymentStatus.PENDING:
        payment.provider_payment_id = reply.payment_id
        _keep_waiting(payment, PaymentPhase.PROCESSING)


def _keep_waiting(payment: Payment, phase: PaymentPhase) -> None:
    """Plan the next look; after the last one only a webhook or a person can decide."""
    if payment.status is not PaymentStatus.PENDING:
        return
    if payment.checks >= len(RECONCILE_AFTER):
        _alert("unresolved", payment)
        payment.wait(phase, None)
        return
    payment.wait(phase, now() + RECONCILE_AFTER[payment.checks])
    payment.checks += 1


def _alert(reason: str, payment: Payment) -> None:
    ALERTS.labels(reason).inc()
    log.error("payment.needs_attention", reason=reason, payment_id=str(payment.id))


async def _tell(session: WriteSession, *events: Event) -> None:
    await enqueue(session, *events, source=SOURCE)

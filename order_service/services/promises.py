"""What is done to payments: closed, recorded, collected, promised back. Each tells of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.events.orders import PaymentSucceeded, RefundInitiated
from common_lib.ids import new_id
from common_lib.money import Money, total
from common_lib.outbox import enqueue
from order_service.models import Order, Payment, ReturnRefund
from order_service.queries import orders as orders_sql
from order_service.queries import payments as payments_sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import PaymentMethod, PaymentPhase, PaymentStatus
from order_service.services.drafting import PROVIDER_OF_CASH, event_fields
from order_service.services.shapes import SUPERSEDED

LATE_CAPTURE: Final = "the order was no longer to be paid"


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


def held(order: Order, payments: Sequence[Payment]) -> Money:
    """Return what was captured for an order and not promised back yet."""
    return total((payment.refundable for payment in payments), order.currency)


def close_unsent(payments: Sequence[Payment], code: str = SUPERSEDED) -> None:
    """Close the attempts no provider has heard of.

    One that a provider may know of stays open: a late capture is given back.
    """
    for payment in payments:
        if payment.status is PaymentStatus.PENDING and payment.phase is PaymentPhase.INITIATED:
            payment.fail(code)


async def promise_back(
    session: WriteSession,
    order: Order,
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    by: UUID | None = None,
) -> ReturnRefund:
    """Promise money back; a worker hands it out once. Raises RefundExceedsCaptured."""
    refund = ReturnRefund.of_payment(payment, amount, reason=reason, by=by)
    session.add(refund)
    event = RefundInitiated(**payment_fields(order, payment, amount))
    await enqueue(session, event, source=SOURCE)
    return refund


async def promise_all_back(
    session: WriteSession,
    order: Order,
    payments: Sequence[Payment],
    *,
    reason: str,
    by: UUID | None = None,
) -> None:
    """Promise back whatever was captured and not given back yet."""
    for payment in payments:
        if payment.refundable.amount:
            await promise_back(session, order, payment, payment.refundable, reason=reason, by=by)


async def collect_cash(session: WriteSession, order: Order, payments: Sequence[Payment]) -> None:
    """Count cash on delivery as paid: the parcel was handed over."""
    for payment in payments:
        if payment.status is PaymentStatus.PENDING and payment.method is PaymentMethod.COD:
            payment.succeed(None)
            await tell_of_success(session, order, payment)


async def record_by_hand(session: WriteSession, order: Order, payments: Sequence[Payment]) -> None:
    """Record that an administrator has the money for an order no provider was paid for."""
    close_unsent(payments)
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
    await tell_of_success(session, order, payment)


async def tell_of_success(session: WriteSession, order: Order, payment: Payment) -> None:
    about = payment_fields(order, payment)
    event = PaymentSucceeded(**about, order_status=order.status.value)
    await enqueue(session, event, source=SOURCE)


def payment_fields(order: Order, payment: Payment, amount: Money | None = None) -> dict[str, Any]:
    """Return what every event about a payment carries."""
    return {
        **event_fields(order),
        "payment_id": payment.id,
        "amount": amount or payment.amount,
        "method": payment.method.value,
    }

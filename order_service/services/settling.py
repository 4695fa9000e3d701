"""What is learned about a payment, from wherever it comes, and what follows from it.

The direct reply, the webhook and the reconciler all end in `learn`. It only moves forward, so late
and reordered news do no harm, and a repeated piece of news changes nothing.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.events.orders import RefundCompleted
from common_lib.money import Money, total
from common_lib.outbox import enqueue
from order_service.clients.payments import ProviderReply, ProviderStatus
from order_service.models import Payment, ReturnRefund
from order_service.models.consequences import Trigger
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import PaymentPhase, PaymentStatus
from order_service.services.following import Happening, follow
from order_service.services.promises import Locked, held, payment_fields, promise_back

log = structlog.get_logger(__name__)

# When a payment that is not decided is looked at again, counted from the look before.
RECONCILE_AFTER: Final = tuple(
    timedelta(seconds=seconds) for seconds in (30, 120, 600, 3600, 86_400)
)

PAYMENTS: Final = Counter("payments_total", "What became of payments", ["outcome"])
ALERTS: Final = Counter("payment_alerts_total", "What a person should look at", ["reason"])


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


async def give_back(
    session: WriteSession, locked: Locked, amount: Money, reason: str, by: UUID | None = None
) -> ReturnRefund:
    """Promise money back; a worker hands it out once. Raises RefundExceedsCaptured.

    Where nothing of what was paid is left, the order ends with it.
    """
    order, payments = locked.order, locked.payments
    refund = await promise_back(session, order, locked.payment, amount, reason=reason, by=by)
    is_all = held(order, payments).amount == 0
    trigger = Trigger.REFUNDED_IN_FULL if is_all else Trigger.REFUNDED_IN_PART
    await follow(session, Happening(trigger, order, payments, locked.payment, by, reason=reason))
    return refund


async def refunded(
    session: WriteSession, locked: Locked, refund: ReturnRefund, provider_refund_id: str | None
) -> None:
    """Mark a refund as made; the payment is REFUNDED once nothing of it is left.

    An order whose last money was promised back before promises ended orders is ended here.
    """
    refund.complete(provider_refund_id)
    payment, order = locked.payment, locked.order
    if payment.refundable.amount == 0 and payment.can_become(PaymentStatus.REFUNDED):
        payment.status = PaymentStatus.REFUNDED
    event = RefundCompleted(
        **payment_fields(order, payment, refund.amount),
        paid=total((each.captured for each in locked.payments), order.currency),
        refunded=total((each.refunded for each in locked.payments), order.currency),
    )
    await enqueue(session, event, source=SOURCE)
    if held(order, locked.payments).amount == 0:
        await follow(session, _about(Trigger.REFUNDED_IN_FULL, locked))


async def _succeeded(session: WriteSession, locked: Locked, reply: ProviderReply) -> None:
    payment = locked.payment
    if not payment.can_become(PaymentStatus.SUCCESS):
        return
    payment.succeed(reply.payment_id)
    PAYMENTS.labels("succeeded").inc()
    trigger = Trigger.PAID_TWICE if locked.is_paid_otherwise else Trigger.PAID
    await follow(session, _about(trigger, locked, note="paid"))


async def _failed(session: WriteSession, locked: Locked, reply: ProviderReply) -> None:
    """Record a refusal; the order stays payable."""
    payment = locked.payment
    if not payment.can_become(PaymentStatus.FAILED):
        return
    payment.fail(reply.failure_code or "refused", reply.payment_id)
    PAYMENTS.labels("failed").inc()
    await follow(session, _about(Trigger.PAYMENT_FAILED, locked))


def _about(trigger: Trigger, locked: Locked, note: str | None = None) -> Happening:
    return Happening(trigger, locked.order, locked.payments, locked.payment, note=note)


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

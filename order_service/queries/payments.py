"""Payments, refunds and what providers sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from common_lib.clock import now
from common_lib.database import AnySession, WriteSession
from common_lib.idempotency import KeyState
from order_service.models import Payment, ReturnRefund, idempotency_keys
from order_service.schemas.enums import PaymentPhase, ReturnStatus, ReturnType


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A user's request under an idempotency key of a scope, and what it asks for."""

    user_id: UUID
    scope: str
    key: str
    fingerprint: bytes


async def order_of_payment(session: AnySession, payment_id: UUID) -> UUID | None:
    """Return the order a payment belongs to, without a lock: the order is locked first."""
    found: UUID | None = await session.scalar(
        sa.select(Payment.order_id).where(Payment.id == payment_id)
    )
    return found


async def payment_by_provider_id(
    session: AnySession, provider: str, provider_payment_id: str
) -> UUID | None:
    found: UUID | None = await session.scalar(
        sa.select(Payment.id).where(
            Payment.provider == provider, Payment.provider_payment_id == provider_payment_id
        )
    )
    return found


async def payments_of(session: AnySession, order_id: UUID) -> Sequence[Payment]:
    found = await session.scalars(
        sa.select(Payment).where(Payment.order_id == order_id).order_by(Payment.attempt)
    )
    return found.all()


async def claim_due_payments(
    session: WriteSession, at: datetime, lease: timedelta, limit: int
) -> Sequence[Payment]:
    """Lease what is due; a worker that dies lets the lease run out and another takes over."""
    found = await session.scalars(
        sa.select(Payment)
        .where(Payment.next_action_at <= at)
        .order_by(Payment.next_action_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    payments = found.all()
    for payment in payments:
        payment.next_action_at = at + lease
        if payment.phase is PaymentPhase.INITIATED:
            payment.phase = PaymentPhase.REQUESTED
    return payments


async def claim_due_refunds(
    session: WriteSession, at: datetime, limit: int, pause: Callable[[int], timedelta]
) -> Sequence[tuple[ReturnRefund, Payment]]:
    """Lease refunds that are to be made, each with the payment it gives back.

    `pause` tells the lease by the number of attempts made: one that failed waits it out.
    """
    refunds = await session.scalars(
        sa.select(ReturnRefund)
        .where(
            ReturnRefund.next_action_at <= at,
            ReturnRefund.type == ReturnType.REFUND,
            ReturnRefund.status == ReturnStatus.APPROVED,
        )
        .order_by(ReturnRefund.next_action_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = refunds.all()
    for refund in claimed:
        refund.next_action_at = at + pause(refund.attempts)
        refund.attempts += 1
    payments = await _payments_by_id(session, [refund.payment_id for refund in claimed])
    return [(refund, payments[refund.payment_id]) for refund in claimed]


async def _payments_by_id(
    session: AnySession, ids: Sequence[UUID | None]
) -> dict[UUID | None, Payment]:
    if not ids:
        return {}
    found = await session.scalars(sa.select(Payment).where(Payment.id.in_(ids)))
    return {payment.id: payment for payment in found}


async def lock_refund(session: WriteSession, refund_id: UUID) -> ReturnRefund | None:
    return await session.get(ReturnRefund, refund_id, with_for_update=True)


async def decide_key(
    session: WriteSession, asked: KeyedRequest, *, subject_id: UUID, status: int, body: bytes
) -> None:
    """Write the outcome of an idempotency key; IntegrityError when it was decided before."""
    await session.execute(
        sa.insert(idempotency_keys).values(
            user_id=asked.user_id,
            scope=asked.scope,
            idempotency_key=asked.key,
            fingerprint=asked.fingerprint,
            state=KeyState.PLACED,
            subject_id=subject_id,
            response_status=status,
            response_body=body,
            created_at=now(),
        )
    )


async def restate_answer(session: WriteSession, scope: str, subject_id: UUID, body: bytes) -> None:
    """Replace the stored answer once more is known than when the key was decided."""
    await session.execute(
        sa.update(idempotency_keys)
        .where(
            idempotency_keys.c.scope == scope,
            idempotency_keys.c.subject_id == subject_id,
        )
        .values(response_body=body)
    )

"""What the provider is asked for: charges, how they stand, refunds. Never inside a transaction."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.http_client import CircuitOpen
from common_lib.money import Money
from common_lib.outbox import wake
from order_service.clients.payments import PaymentProvider, ProviderReply
from order_service.models import Payment, ReturnRefund
from order_service.queries import payments as sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import PaymentMethod, PaymentStatus
from order_service.services import promises, settling
from order_service.services.drafting import PROVIDER_OF_CASH

log = structlog.get_logger(__name__)

_BATCH: Final = 16
_CIRCUIT_REST: Final = timedelta(seconds=5)
_LONGEST_REFUND_PAUSE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Charge:
    """What the provider is asked for, copied out of the transaction that leased it."""

    payment_id: UUID
    key: str
    amount: Money
    method: PaymentMethod
    token: str | None
    provider_payment_id: str | None

    @classmethod
    def of(cls, payment: Payment) -> "Charge":
        return cls(
            payment_id=payment.id,
            key=payment.provider_key,
            amount=payment.amount,
            method=payment.method,
            token=payment.provider_token,
            provider_payment_id=payment.provider_payment_id,
        )


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A refund to be made, copied out of the transaction that leased it."""

    refund_id: UUID
    payment_id: UUID
    provider: str
    provider_payment_id: str | None
    amount: Money
    attempts: int

    @classmethod
    def of(cls, refund: ReturnRefund, payment: Payment) -> "GiveBack":
        return cls(
            refund_id=refund.id,
            payment_id=payment.id,
            provider=payment.provider,
            provider_payment_id=payment.provider_payment_id,
            amount=refund.amount,
            attempts=refund.attempts,
        )


class ProviderCalls:
    """The calls that are due. Each is leased in one transaction and taken in by another."""

    def __init__(
        self, *, database: Database, redis: Redis, provider: PaymentProvider, lease: timedelta
    ) -> None:
        self._database = database
        self._redis = redis
        self._provider = provider
        self._lease = lease

    async def work_off(self) -> int:
        """Do what is due: start payments, ask about undecided ones, make refunds."""
        charges = await self._claim_charges()
        refunds = await self._claim_refunds()
        await asyncio.gather(
            *(self.charge(charge) for charge in charges),
            *(self._hand_back(refund) for refund in refunds),
        )
        if charges or refunds:
            await wake(self._redis, SOURCE)
        return len(charges) + len(refunds)

    async def charge(self, charge: Charge) -> None:
        """Ask the provider and take in what it says; no answer is UNKNOWN, never FAILED."""
        try:
            reply = await self._ask(charge)
        except CircuitOpen:
            await self._postpone(charge)
            return
        except Unavailable:
            reply = None
        crash_point("payment.after_provider_call")

        async def work(session: WriteSession) -> None:
            locked = await promises.lock(session, charge.payment_id)
            if locked is not None:
                await settling.learn(session, locked, reply)

        await self._database.transact(work)

    async def _ask(self, charge: Charge) -> ProviderReply:
        if charge.provider_payment_id is not None:
            return await self._provider.find(charge.provider_payment_id)
        return await self._provider.charge(
            key=charge.key,
            reference=str(charge.payment_id),
            amount=charge.amount,
            method=charge.method.value,
            token=charge.token or "",
        )

    async def _postpone(self, charge: Charge) -> None:
        """Look again soon: the provider was not asked, so nothing is unknown."""

        async def work(session: WriteSession) -> None:
            locked = await promises.lock(session, charge.payment_id)
            if locked is not None and locked.payment.status is PaymentStatus.PENDING:
                locked.payment.wait(locked.payment.phase, now() + _CIRCUIT_REST)

        await self._database.transact(work)

    async def _hand_back(self, refund: GiveBack) -> None:
        """Make one refund; its id is the key, so that a repeated call is the same refund."""
        provider_refund_id = None
        if refund.provider != PROVIDER_OF_CASH and refund.provider_payment_id is not None:
            try:
                provider_refund_id = await self._provider.refund(
                    key=f"refund:{refund.refund_id}",
                    payment_id=refund.provider_payment_id,
                    amount=refund.amount,
                )
            except Unavailable as error:
                log.warning("refund.waits", refund_id=str(refund.refund_id), reason=error.code)
                return

        async def work(session: WriteSession) -> None:
            locked = await promises.lock(session, refund.payment_id)
            row = await sql.lock_refund(session, refund.refund_id)
            if locked is not None and row is not None and row.is_due:
                await settling.refunded(session, locked, row, provider_refund_id)

        await self._database.transact(work)

    async def _claim_charges(self) -> list[Charge]:
        async def work(session: WriteSession) -> list[Charge]:
            due = await sql.claim_due_payments(session, now(), self._lease, _BATCH)
            return [Charge.of(payment) for payment in due]

        return await self._database.transact(work)

    async def _claim_refunds(self) -> list[GiveBack]:
        async def work(session: WriteSession) -> list[GiveBack]:
            due = await sql.claim_due_refunds(session, now(), _BATCH, self._refund_pause)
            return [GiveBack.of(refund, payment) for refund, payment in due]

        return await self._database.transact(work)

    def _refund_pause(self, attempts: int) -> timedelta:
        return min(self._lease * (1 << min(attempts, 10)), _LONGEST_REFUND_PAUSE)

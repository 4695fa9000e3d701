"""Paying, giving back, and hearing from the provider."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError

from common_lib.auth import Principal, ensure_self
from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, NotFound, Unavailable
from common_lib.http_client import CircuitOpen
from common_lib.idempotency import IdempotencyKeyReused, fingerprint
from common_lib.ids import new_id
from common_lib.money import Money
from common_lib.outbox import enqueue, wake
from common_lib.problems import UnacceptableJson, parse_json
from order_service.clients.payments import (
    PaymentProvider,
    ProviderReply,
    check_signature,
    reply_of,
)
from order_service.models import Order, Payment, PaymentWebhookEvent, ReturnRefund
from order_service.queries import orders as orders_sql
from order_service.queries import payments as sql
from order_service.queries.placing import SOURCE, StoredOutcome, outcome_of
from order_service.schemas.enums import (
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
    WebhookOutcome,
)
from order_service.schemas.payments import (
    ProviderMessage,
    ProviderPayment,
    RefundPayment,
    StartPayment,
)
from order_service.services import settling
from order_service.services.drafting import PROVIDER_OF_CASH
from order_service.services.in_flight import InFlight
from order_service.services.shapes import Document, payment_document, refund_document
from order_service.settings import Settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

CREATED: Final = 201
PAYMENT_SCOPE: Final = "payment"
REFUND_SCOPE: Final = "refund"
_BATCH: Final = 16
_CIRCUIT_REST: Final = timedelta(seconds=5)
_LONGEST_REFUND_PAUSE: Final = timedelta(hours=1)
_REPLIES: Final = frozenset({"succeeded", "failed", "processing"})


class OrderNotPayable(Conflict):
    code = "order_not_payable"
    title = "The order is not waiting for a payment"


class PaymentInProgress(Conflict):
    code = "payment_in_progress"
    title = "An earlier payment of this order is not decided yet"
    is_retryable = True


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer ready to be sent, given now or replayed."""

    status: int
    body: bytes
    is_replay: bool


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


class Payments:
    """Use cases of payments. The provider is never called inside a transaction."""

    def __init__(
        self,
        *,
        database: Database,
        redis: Redis,
        in_flight: InFlight,
        provider: PaymentProvider,
        settings: Settings,
    ) -> None:
        self._database = database
        self._redis = redis
        self._in_flight = in_flight
        self._provider = provider
        self._settings = settings
        self._lease = timedelta(seconds=settings.payment_lease_s)

    async def list_of(self, caller: Principal, order_id: UUID) -> list[Document]:
        """Return an order's payments, oldest first. Raises NotFound for others' orders."""
        await self._require_own(caller, order_id)
        async with self._database.read_own_writes() as session:
            return [payment_document(p) for p in await sql.payments_of(session, order_id)]

    async def start(
        self, caller: Principal, order_id: UUID, key: str, request: StartPayment
    ) -> Answered:
        """Try to pay an order, once per key; the provider is asked after the commit.

        Raises NotFound, OrderNotPayable, PaymentInProgress, RequestInFlight or
        IdempotencyKeyReused.
        """
        await self._require_own(caller, order_id)
        print_ = fingerprint(
            caller.user_id, f"POST /api/orders/{order_id}/payments", request.canonical()
        )

        async def work() -> Answered:
            payment = await self._intend(caller.user_id, order_id, key, print_, request)
            await wake(self._redis, SOURCE)
            if payment.provider_token is not None:
                await self._charge(Charge.of(payment))
            return await self._answer_for(payment.id)

        return await self._once(caller.user_id, PAYMENT_SCOPE, key, print_, work)

    async def refund(
        self, caller: Principal, payment_id: UUID, key: str, request: RefundPayment
    ) -> Answered:
        """Promise money back, once per key; a worker hands it out.

        Raises NotFound, RefundExceedsCaptured, RequestInFlight or IdempotencyKeyReused.
        """
        print_ = fingerprint(
            caller.user_id, f"POST /api/payments/{payment_id}/refunds", request.canonical()
        )

        async def work() -> Answered:
            body = await self._promise(caller.user_id, payment_id, key, print_, request)
            await wake(self._redis, SOURCE)
            return Answered(CREATED, body, is_replay=False)

        return await self._once(caller.user_id, REFUND_SCOPE, key, print_, work)

    async def hear(self, provider: str, signature: str | None, body: bytes) -> WebhookOutcome:
        """Take in a provider's message, once per event id.

        What does not fit is kept for a person to look at and acknowledged, since sending it again
        would not make it fit. Raises NotFound for an unknown provider and InvalidSignature.
        """
        if provider != self._settings.payment_provider:
            raise NotFound
        check_signature(
            signature,
            body,
            secret=self._settings.payment_webhook_secret.get_secret_value(),
            at=time.time(),
            tolerance_s=self._settings.webhook_tolerance_s,
        )
        message, payload = _message(body)
        try:
            outcome = await self._database.transact(
                lambda session: _take_in(session, provider, message, payload)
            )
        except IntegrityError as error:
            if not is_duplicate_key(error):
                raise
            return WebhookOutcome.IGNORED
        await wake(self._redis, SOURCE)
        return outcome

    async def work_off(self) -> int:
        """Do what is due: start payments, ask about undecided ones, make refunds."""
        charges = await self._claim_charges()
        refunds = await self._claim_refunds()
        await asyncio.gather(
            *(self._charge(charge) for charge in charges),
            *(self._hand_back(refund) for refund in refunds),
        )
        if charges or refunds:
            await wake(self._redis, SOURCE)
        return len(charges) + len(refunds)

    async def _intend(
        self, user_id: UUID, order_id: UUID, key: str, print_: bytes, request: StartPayment
    ) -> Payment:
        async def work(session: WriteSession) -> Payment:
            order = await orders_sql.lock_order(session, order_id)
            if order is None:
                raise NotFound
            earlier = await orders_sql.lock_payments(session, order_id)
            _require_payable(order, earlier)
            settling.set_aside(earlier)
            payment = self._next_attempt(order, earlier, request)
            session.add(payment)
            order.payment_method = payment.method
            if payment.method is PaymentMethod.COD:
                event = await settling.confirm(session, order, "cash on delivery")
                await enqueue(session, event, source=SOURCE)
            await session.flush()
            await sql.decide_key(
                session,
                user_id=user_id,
                scope=PAYMENT_SCOPE,
                key=key,
                fingerprint=print_,
                subject_id=payment.id,
                status=CREATED,
                body=orjson.dumps(payment_document(payment)),
            )
            return payment

        return await self._database.transact(work)

    def _next_attempt(
        self, order: Order, earlier: Sequence[Payment], request: StartPayment
    ) -> Payment:
        """Return the intent. With a token it is leased to this request, which asks at once."""
        is_cash = request.payment_method is PaymentMethod.COD
        moment = now()
        return Payment(
            id=new_id(),
            order_id=order.id,
            attempt=max((payment.attempt for payment in earlier), default=0) + 1,
            method=request.payment_method,
            status=PaymentStatus.PENDING,
            phase=PaymentPhase.REQUESTED if request.payment_token else PaymentPhase.INITIATED,
            provider=PROVIDER_OF_CASH if is_cash else self._settings.payment_provider,
            provider_token=request.payment_token,
            currency=order.currency,
            amount_minor=order.total_minor,
            captured_minor=0,
            refunded_minor=0,
            checks=0,
            next_action_at=moment + self._lease if request.payment_token else None,
            created_at=moment,
            updated_at=moment,
        )

    async def _charge(self, charge: Charge) -> None:
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
            locked = await settling.lock(session, charge.payment_id)
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
            locked = await settling.lock(session, charge.payment_id)
            if locked is not None and locked.payment.status is PaymentStatus.PENDING:
                locked.payment.wait(locked.payment.phase, now() + _CIRCUIT_REST)

        await self._database.transact(work)

    async def _answer_for(self, payment_id: UUID) -> Answered:
        """Store and return the payment as it stands after the provider was asked."""

        async def work(session: WriteSession) -> bytes:
            payment = await session.get_one(Payment, payment_id)
            body = orjson.dumps(payment_document(payment))
            await sql.restate_answer(session, PAYMENT_SCOPE, payment_id, body)
            return body

        return Answered(CREATED, await self._database.transact(work), is_replay=False)

    async def _promise(
        self, user_id: UUID, payment_id: UUID, key: str, print_: bytes, request: RefundPayment
    ) -> bytes:
        async def work(session: WriteSession) -> bytes:
            locked = await settling.lock(session, payment_id)
            if locked is None:
                raise NotFound
            amount = request.amount or locked.payment.refundable
            reason = request.reason or "refund"
            refund = await settling.give_back(session, locked, amount, reason, user_id)
            body = orjson.dumps(refund_document(refund))
            await sql.decide_key(
                session,
                user_id=user_id,
                scope=REFUND_SCOPE,
                key=key,
                fingerprint=print_,
                subject_id=refund.id,
                status=CREATED,
                body=body,
            )
            return body

        return await self._database.transact(work)

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
            locked = await settling.lock(session, refund.payment_id)
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

    async def _require_own(self, caller: Principal, order_id: UUID) -> None:
        detail = await orders_sql.detail_of(self._database, order_id)
        if detail is None:
            raise NotFound
        ensure_self(caller, detail.order.user_id, admin_ok=True)

    async def _once(
        self, user_id: UUID, scope: str, key: str, print_: bytes, work: Any
    ) -> Answered:
        """Run `work` unless the key was decided before; a request beside us gets a quick 409."""
        decided = await outcome_of(self._database, user_id, key, scope=scope)
        if decided is not None:
            return _replay(decided, print_)
        try:
            async with self._in_flight.only(f"{scope}:{user_id}:{key}"):
                answered: Answered = await work()
        except IntegrityError as error:
            if not is_duplicate_key(error):
                raise
            decided = await outcome_of(self._database, user_id, key, scope=scope)
            if decided is None:
                raise PaymentInProgress(retry_after_s=1) from error
            return _replay(decided, print_)
        return answered


def _replay(decided: StoredOutcome, print_: bytes) -> Answered:
    if decided.fingerprint != print_:
        raise IdempotencyKeyReused
    return Answered(decided.status, decided.body, is_replay=True)


def _require_payable(order: Order, earlier: Sequence[Payment]) -> None:
    if order.status is not OrderStatus.PENDING:
        raise OrderNotPayable(status=order.status.value)
    if any(_is_under_way(payment) for payment in earlier):
        raise PaymentInProgress(retry_after_s=1)


def _is_under_way(payment: Payment) -> bool:
    return payment.status is PaymentStatus.PENDING and not payment.is_awaiting_customer


def _message(body: bytes) -> tuple[ProviderMessage, Document]:
    payload = parse_json(body)
    try:
        return ProviderMessage.model_validate(payload), payload
    except ValidationError:
        raise UnacceptableJson from None


async def _lock_referenced(session: WriteSession, data: ProviderPayment) -> settling.Locked | None:
    try:
        payment_id = UUID(data.reference)
    except ValueError:
        return None
    return await settling.lock(session, payment_id)


async def _take_in(
    session: WriteSession, provider: str, message: ProviderMessage, payload: Document
) -> WebhookOutcome:
    """Keep the message under its event id, then act on it; IntegrityError for a known id."""
    row = PaymentWebhookEvent(
        provider=provider,
        event_id=message.id,
        outcome=WebhookOutcome.IGNORED,
        payload=payload,
        received_at=now(),
    )
    session.add(row)
    await session.flush()
    if message.data.status not in _REPLIES:
        return WebhookOutcome.IGNORED
    locked = await _lock_referenced(session, message.data)
    reason = await _fit(session, locked, message.data)
    row.payment_id = locked.payment.id if locked else None
    row.outcome = WebhookOutcome.QUARANTINED if reason else WebhookOutcome.APPLIED
    row.reason = reason
    if reason:
        settling.ALERTS.labels(reason).inc()
        log.error("payment.webhook_quarantined", event_id=message.id, reason=reason)
    return row.outcome


async def _fit(
    session: WriteSession, locked: settling.Locked | None, data: ProviderPayment
) -> str | None:
    """Take the message in, or return why it does not fit."""
    if locked is None:
        return "unknown_payment"
    if data.amount != locked.payment.amount_minor:
        return "amount_mismatch"
    if data.currency != locked.payment.currency:
        return "currency_mismatch"
    if await _names_another(session, locked.payment, data):
        return "another_payment"
    await settling.learn(session, locked, reply_of(data.model_dump(by_alias=True)))
    return None


async def _names_another(session: WriteSession, payment: Payment, data: ProviderPayment) -> bool:
    """Tell whether the provider's id belongs to another payment, or this one has another id."""
    if payment.provider_payment_id is not None:
        return payment.provider_payment_id != data.id
    holder = await sql.payment_by_provider_id(session, payment.provider, data.id)
    return holder is not None

"""Paying an order and promising money back, once per idempotency key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError

from common_lib.auth import Principal, ensure_self
from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, NotFound
from common_lib.idempotency import IdempotencyKeyReused, fingerprint
from common_lib.ids import new_id
from common_lib.outbox import wake
from order_service.models import Order, Payment
from order_service.models.consequences import Trigger
from order_service.models.records import OrderDetail
from order_service.queries import orders as orders_sql
from order_service.queries import payments as sql
from order_service.queries.placing import SOURCE, StoredOutcome, outcome_of
from order_service.schemas.enums import (
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
)
from order_service.schemas.payments import (
    RefundPayment,
    StartPayment,
)
from order_service.services import settling
from order_service.services.drafting import PROVIDER_OF_CASH
from order_service.services.following import Happening, follow
from order_service.services.in_flight import InFlight
from order_service.services.promises import close_unsent, lock
from order_service.services.provider_calls import Charge, ProviderCalls
from order_service.services.shapes import Document, payment_document, refund_document
from order_service.settings import Settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

CREATED: Final = 201
PAYMENT_SCOPE: Final = "payment"
REFUND_SCOPE: Final = "refund"


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


class Payments:
    """Use cases of payments. The provider is never called inside a transaction."""

    def __init__(
        self,
        *,
        database: Database,
        redis: Redis,
        in_flight: InFlight,
        calls: ProviderCalls,
        settings: Settings,
    ) -> None:
        self._database = database
        self._redis = redis
        self._in_flight = in_flight
        self._calls = calls
        self._settings = settings
        self._lease = timedelta(seconds=settings.payment_lease_s)

    async def list_of(self, caller: Principal, order_id: UUID) -> list[Document]:
        """Return an order's payments, oldest first. Raises NotFound for others' orders."""
        detail = await self._require_own(caller, order_id)
        payable, latest = detail.is_payable, detail.payment
        return [
            payment_document(payment, is_payable=payable and payment is latest)
            for payment in detail.payments
        ]

    async def start(
        self, caller: Principal, order_id: UUID, key: str, request: StartPayment
    ) -> Answered:
        """Try to pay an order, once per key; the provider is asked after the commit.

        Raises NotFound, OrderNotPayable, PaymentInProgress, RequestInFlight or
        IdempotencyKeyReused.
        """
        await self._require_own(caller, order_id)
        route = f"POST /api/orders/{order_id}/payments"
        asked = _asked(caller, PAYMENT_SCOPE, key, route, request.canonical())

        async def work() -> Answered:
            payment = await self._intend(asked, order_id, request)
            await wake(self._redis, SOURCE)
            if payment.provider_token is not None:
                await self._calls.charge(Charge.of(payment))
            return await self._answer_for(payment.id)

        return await self._once(asked, work)

    async def refund(
        self, caller: Principal, payment_id: UUID, key: str, request: RefundPayment
    ) -> Answered:
        """Promise money back, once per key; a worker hands it out.

        Raises NotFound, RefundExceedsCaptured, RequestInFlight or IdempotencyKeyReused.
        """
        route = f"POST /api/payments/{payment_id}/refunds"
        asked = _asked(caller, REFUND_SCOPE, key, route, request.canonical())

        async def work() -> Answered:
            body = await self._promise(asked, payment_id, request)
            await wake(self._redis, SOURCE)
            return Answered(CREATED, body, is_replay=False)

        return await self._once(asked, work)

    async def _intend(
        self, asked: sql.KeyedRequest, order_id: UUID, request: StartPayment
    ) -> Payment:
        async def work(session: WriteSession) -> Payment:
            order = await orders_sql.lock_order(session, order_id)
            if order is None:
                raise NotFound
            earlier = await orders_sql.lock_payments(session, order_id)
            _require_payable(order, earlier)
            close_unsent(earlier)
            payment = self._next_attempt(order, earlier, request)
            session.add(payment)
            order.payment_method = payment.method
            if payment.method is PaymentMethod.COD:
                chosen = Happening(
                    Trigger.CASH_CHOSEN,
                    order,
                    [*earlier, payment],
                    payment,
                    note="cash on delivery",
                )
                await follow(session, chosen)
            await session.flush()
            body = orjson.dumps(payment_document(payment, is_payable=_is_payable(order, [payment])))
            await sql.decide_key(session, asked, subject_id=payment.id, status=CREATED, body=body)
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

    async def _answer_for(self, payment_id: UUID) -> Answered:
        """Store and return the payment as it stands after the provider was asked."""

        async def work(session: WriteSession) -> bytes:
            locked = await lock(session, payment_id)
            if locked is None:
                raise NotFound
            is_payable = _is_payable(locked.order, locked.payments)
            body = orjson.dumps(payment_document(locked.payment, is_payable=is_payable))
            await sql.restate_answer(session, PAYMENT_SCOPE, payment_id, body)
            return body

        return Answered(CREATED, await self._database.transact(work), is_replay=False)

    async def _promise(
        self, asked: sql.KeyedRequest, payment_id: UUID, request: RefundPayment
    ) -> bytes:
        async def work(session: WriteSession) -> bytes:
            locked = await lock(session, payment_id)
            if locked is None:
                raise NotFound
            amount = request.amount or locked.payment.refundable
            reason = request.reason or "refund"
            refund = await settling.give_back(session, locked, amount, reason, asked.user_id)
            body = orjson.dumps(refund_document(refund))
            await sql.decide_key(session, asked, subject_id=refund.id, status=CREATED, body=body)
            return body

        return await self._database.transact(work)

    async def _require_own(self, caller: Principal, order_id: UUID) -> OrderDetail:
        detail = await orders_sql.detail_of(self._database, order_id)
        if detail is None:
            raise NotFound
        ensure_self(caller, detail.order.user_id, admin_ok=True)
        return detail

    async def _once(self, asked: sql.KeyedRequest, work: Any) -> Answered:
        """Run `work` unless the key was decided before; a request beside us gets a quick 409."""
        decided = await self._outcome_of(asked)
        if decided is not None:
            return _replay(decided, asked)
        try:
            async with self._in_flight.only(f"{asked.scope}:{asked.user_id}:{asked.key}"):
                answered: Answered = await work()
        except IntegrityError as error:
            if not is_duplicate_key(error):
                raise
            decided = await self._outcome_of(asked)
            if decided is None:
                raise PaymentInProgress(retry_after_s=1) from error
            return _replay(decided, asked)
        return answered

    async def _outcome_of(self, asked: sql.KeyedRequest) -> StoredOutcome | None:
        return await outcome_of(self._database, asked.user_id, asked.key, scope=asked.scope)


def _asked(
    caller: Principal, scope: str, key: str, route: str, canonical: Mapping[str, Any]
) -> sql.KeyedRequest:
    print_ = fingerprint(caller.user_id, route, canonical)
    return sql.KeyedRequest(caller.user_id, scope, key, print_)


def _replay(decided: StoredOutcome, asked: sql.KeyedRequest) -> Answered:
    if decided.fingerprint != asked.fingerprint:
        raise IdempotencyKeyReused
    return Answered(decided.status, decided.body, is_replay=True)


def _require_payable(order: Order, earlier: Sequence[Payment]) -> None:
    if order.status is not OrderStatus.PENDING:
        raise OrderNotPayable(status=order.status.value)
    if any(payment.is_under_way for payment in earlier):
        raise PaymentInProgress(retry_after_s=1)


def _is_payable(order: Order, payments: Sequence[Payment]) -> bool:
    is_open = order.status is OrderStatus.PENDING
    return is_open and not any(payment.is_under_way for payment in payments)

"""Placing an order: look, reserve, decide; then wake whoever works on it.

The protocol and its crash table: docs/adr, "one unique key decides". The insert of the idempotency
row is the commit decision; nothing is released while the outcome is unknown.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis

from common_lib.cache import REDIS_FAILURES
from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import Database
from common_lib.errors import CommitUnknown, Conflict, DomainError, NotFound, Rejected, Unavailable
from common_lib.idempotency import (
    IdempotencyKeyReused,
    KeyState,
    fingerprint,
)
from common_lib.ids import new_id
from common_lib.outbox import wake_channel
from common_lib.problems import problem_of
from common_lib.telemetry import flow_step
from order_service.clients.catalog import Catalog, ReservationClosed
from order_service.clients.users import Users
from order_service.models.records import Line, Reservation
from order_service.queries import placing as sql
from order_service.queries.placing import (
    SOURCE,
    Decision,
    LookBefore,
    StoredOutcome,
    Verdict,
)
from order_service.schemas.enums import PaymentMethod
from order_service.schemas.orders import OrderItemIn, PlaceOrder
from order_service.services.carts import CartContent, Carts, QuantityTooLarge
from order_service.services.coupon_rules import rule_of, still_usable
from order_service.services.drafting import (
    Terms,
    Wish,
    draft,
    is_confirmed_at_once,
    reservation_id_of,
)
from order_service.services.in_flight import InFlight
from order_service.services.pricing import (
    CouponNotValid,
    CouponRule,
    Tariff,
    check_expected,
    price,
)
from order_service.services.waking import PAYMENT_WAKE_CHANNEL
from order_service.settings import Settings

log = structlog.get_logger(__name__)

ROUTE: Final = "POST /api/orders"
_DECIDE_ATTEMPTS: Final = 12
_LONGEST_PAUSE_S: Final = 0.01
# What a reservation may meet after it was made, and what then gives it back.
_KNOWN_FAILURES: Final = (Conflict, Rejected, NotFound)
_UNKNOWN_REQUEST: Final = bytes(32)


class TooManyOpenOrders(Conflict):
    code = "too_many_open_orders"
    title = "Pay or cancel an open order first"


class OrderAborted(Rejected):
    """The stored answer of a key whose attempt died before it could be decided."""

    code = "order_aborted"
    title = "The attempt with this key did not finish; its stock was given back"


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer ready to be sent; `decision` is None where an earlier answer is replayed."""

    status: int
    body: bytes
    order_id: UUID | None
    is_replay: bool
    decision: Decision | None = None
    cart: CartContent | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to place an order: who, with which key, asking for what."""

    user_id: UUID
    key: str
    print_: bytes
    request: PlaceOrder

    @property
    def reservation_id(self) -> UUID:
        return reservation_id_of(self.user_id, self.key)


class Placing:
    """The use case of `POST /api/orders`; repeating it with the same key is safe."""

    def __init__(
        self,
        *,
        database: Database,
        redis: Redis,
        catalog: Catalog,
        users: Users,
        carts: Carts,
        in_flight: InFlight,
        settings: Settings,
    ) -> None:
        self._database = database
        self._redis = redis
        self._in_flight = in_flight
        self._catalog = catalog
        self._users = users
        self._carts = carts
        self._settings = settings
        self._tariff = Tariff.of(settings)
        self._terms = Terms(
            provider=settings.payment_provider,
            unpaid_ttl=timedelta(seconds=settings.unpaid_order_ttl_s),
        )

    async def place(self, user_id: UUID, key: str, request: PlaceOrder) -> Placed:
        """Place the order or replay what the key led to.

        Raises RequestInFlight, IdempotencyKeyReused, TooManyOpenOrders, the coupon's and the
        catalog's refusals, PriceChanged, and Unavailable when the outcome is not known.
        """
        print_ = fingerprint(user_id, ROUTE, request.canonical())
        attempt = Attempt(user_id, key, print_, request)
        before = await sql.look_before(self._database, user_id, key, request.coupon_code)
        if before.outcome is not None:
            return replay(before.outcome, print_)
        async with self._in_flight.only(f"order:{attempt.reservation_id}"):
            return await self._place_anew(attempt, before)

    async def after(self, placed: Placed) -> None:
        """Wake the relay and the payment worker and clear the cart; all of it is only sooner.

        The relay and the worker poll, and a cart that is not cleared is an annoyance, no more.
        """
        crash_point("order.after_answer_scheduled")
        decision = placed.decision
        if decision is None:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.publish(wake_channel(SOURCE), b"1")
                if decision.payment.next_action_at is not None:
                    pipeline.publish(PAYMENT_WAKE_CHANNEL, b"1")
                await pipeline.execute()
        except REDIS_FAILURES:
            log.warning("order.wake_failed")
        if placed.cart is not None:
            await self._carts.clear_if_unchanged(decision.order.user_id, placed.cart.version)

    async def abort(self, user_id: UUID, key: str) -> StoredOutcome:
        """Decide for the catalog's sweeper: ABORTED unless the order was placed before.

        Returns what holds; repeating it is safe. Raises Unavailable when nothing is known.
        """
        error = OrderAborted("send the order again with a new idempotency key")
        await self._write_aborted(user_id, key, _UNKNOWN_REQUEST, error)
        outcome = await sql.outcome_of(self._database, user_id, key)
        if outcome is None:
            raise Unavailable("the outcome is not known yet", retry_after_s=1)
        return outcome

    async def _place_anew(self, attempt: Attempt, before: LookBefore) -> Placed:
        coupon = self._usable_coupon(attempt, before)
        self._check_slots(attempt, before)
        wish = await self._wish(attempt, coupon)
        lines, cart = await self._lines(attempt)
        try:
            reservation = await self._reserve(attempt, lines)
        except ReservationClosed:
            # Given back by the sweeper or by a request beside us: its answer is stored.
            return await self._replay_decided(attempt)
        try:
            placed = await self._decide(attempt, wish, reservation, before)
        except _KNOWN_FAILURES as error:
            return await self._give_up(attempt, error)
        return replace(placed, cart=cart)

    async def _wish(self, attempt: Attempt, coupon: CouponRule | None) -> Wish:
        request = attempt.request
        contact = await self._users.contact(attempt.user_id, request.address_id)
        address = contact.address or {}
        if request.shipping_address is not None:
            address = request.shipping_address.model_dump(by_alias=True, exclude_none=True)
        return Wish(
            user_id=attempt.user_id,
            email=contact.email,
            full_name=contact.full_name,
            idempotency_key=attempt.key,
            fingerprint=attempt.print_,
            payment_method=request.payment_method,
            payment_token=request.payment_token,
            shipping_address=address,
            notes=request.notes,
            coupon=coupon,
            expected_total=request.expected_total,
        )

    async def _lines(self, attempt: Attempt) -> tuple[list[Line], CartContent | None]:
        """Return the lines asked for, one per variant, and the cart if they come from it."""
        items = attempt.request.items
        if items is not None:
            return merged(items, self._settings.max_quantity), None
        cart = await self._carts.content(attempt.user_id)
        return cart.lines_to_order(), cart

    async def _reserve(self, attempt: Attempt, lines: Sequence[Line]) -> Reservation:
        crash_point("order.before_tx1")
        started = time.perf_counter()
        reservation = await self._catalog.reserve(
            reservation_id=attempt.reservation_id,
            order_id=new_id(),
            fingerprint=attempt.print_,
            user_id=attempt.user_id,
            idempotency_key=attempt.key,
            lines=lines,
        )
        elapsed_ms = (time.perf_counter() - started) * 1000
        flow_step(4, elapsed_ms, lines=len(lines))
        flow_step(6, elapsed_ms, reservation_id=str(reservation.id))
        crash_point("order.after_tx1")
        return reservation

    async def _decide(
        self, attempt: Attempt, wish: Wish, reservation: Reservation, before: LookBefore
    ) -> Placed:
        """Run TX2 until it is decided; a verdict that new facts can mend is tried again."""
        totals = price(reservation.lines, self._tariff, wish.coupon)
        check_expected(totals.total, wish.expected_total)
        is_unpaid = not is_confirmed_at_once(wish.payment_method, totals.total)
        for attempts in range(_DECIDE_ATTEMPTS):
            slot = self._free_slot(before) if is_unpaid else None
            decision = draft(wish, reservation, totals, self._terms, slot)
            verdict = await self._transact(decision)
            if verdict is Verdict.PLACED:
                return _placed(decision)
            # Those who met once must not meet in step again.
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S) * attempts)
            before = await self._look_again(attempt, verdict)
            if before.outcome is not None:
                return replay(before.outcome, attempt.print_)
            wish = replace(wish, coupon=still_usable(wish.coupon, verdict, before))
        raise Unavailable("the order could not be written now", retry_after_s=1)

    async def _transact(self, decision: Decision) -> Verdict | None:
        """Run TX2 once; None when the connection broke in the COMMIT and nobody knows yet."""
        crash_point("order.before_tx2")
        started = time.perf_counter()
        try:
            async with self._database.driver() as connection:
                verdict = await sql.decide(connection, decision)
                if verdict is not Verdict.PLACED:
                    await connection.rollback()
                    return verdict
                crash_point("order.tx2_before_commit")
                await sql.commit(connection)
        except CommitUnknown:
            log.warning("order.commit_unknown", order_id=str(decision.order.id))
            return None
        crash_point("order.tx2_after_commit")
        flow_step(9, (time.perf_counter() - started) * 1000, order_id=str(decision.order.id))
        return Verdict.PLACED

    async def _look_again(self, attempt: Attempt, verdict: Verdict | None) -> LookBefore:
        """Read anew what a rolled back or unknown TX2 met.

        An unknown outcome that reads as nothing may still be written: the unique key makes it safe
        to run TX2 again, and never to compensate.
        """
        if verdict in (None, Verdict.KEY_TAKEN):
            outcome = await sql.outcome_of(self._database, attempt.user_id, attempt.key)
            if outcome is not None:
                return LookBefore(outcome, frozenset(), None, frozenset())
        return await sql.look_before(
            self._database, attempt.user_id, attempt.key, attempt.request.coupon_code
        )

    async def _give_up(self, attempt: Attempt, error: DomainError) -> Placed:
        """Decide ABORTED with the error as the stored answer, then release; raises the error."""
        is_ours = await self._write_aborted(attempt.user_id, attempt.key, attempt.print_, error)
        if not is_ours:
            return await self._replay_decided(attempt)
        try:
            await self._catalog.release(attempt.reservation_id, error.code)
        except DomainError:
            # The catalog's sweeper finds ABORTED and releases when the time is up.
            log.warning("order.release_left_to_sweeper", code=error.code)
        raise error

    async def _write_aborted(
        self, user_id: UUID, key: str, print_: bytes, error: DomainError
    ) -> bool:
        document = problem_of(error, base_url=self._settings.problem_base_url)
        body = orjson.dumps(document, default=str)
        return await sql.insert_aborted(
            self._database, user_id, key, fingerprint=print_, status=document["status"], body=body
        )

    async def _replay_decided(self, attempt: Attempt) -> Placed:
        return replay(await self.abort(attempt.user_id, attempt.key), attempt.print_)

    def _usable_coupon(self, attempt: Attempt, before: LookBefore) -> CouponRule | None:
        if attempt.request.coupon_code is None:
            return None
        rule = rule_of(before)
        if rule is None or rule.currency != self._settings.currency:
            raise CouponNotValid
        rule.check(now())
        return rule

    def _check_slots(self, attempt: Attempt, before: LookBefore) -> None:
        """Refuse a hoarder before anything is reserved; the slot's unique key decides later."""
        if attempt.request.payment_method is not PaymentMethod.COD:
            self._free_slot(before)

    def _free_slot(self, before: LookBefore) -> int:
        """Return any free slot: one buyer's parallel orders seldom pick the same one."""
        limit = self._settings.max_open_unpaid_orders
        if len(before.taken_slots) >= limit:
            raise TooManyOpenOrders(limit=limit)
        first = random.randrange(limit)
        slots = ((first + step) % limit + 1 for step in range(limit))
        return next(slot for slot in slots if slot not in before.taken_slots)


def replay(outcome: StoredOutcome, print_: bytes) -> Placed:
    """Return the stored answer. Raises IdempotencyKeyReused for another request's key."""
    if outcome.fingerprint not in (print_, _UNKNOWN_REQUEST):
        raise IdempotencyKeyReused
    order_id = outcome.subject_id if outcome.state is KeyState.PLACED else None
    return Placed(outcome.status, outcome.body, order_id, is_replay=True)


def merged(items: Sequence[OrderItemIn], max_quantity: int) -> list[Line]:
    """Return one line per variant, in the order they were first named. Raises QuantityTooLarge."""
    quantities: dict[UUID, int] = {}
    for item in items:
        quantities[item.variant_id] = quantities.get(item.variant_id, 0) + item.quantity
    if max(quantities.values()) > max_quantity:
        raise QuantityTooLarge(limit=max_quantity)
    return [Line(variant_id, quantity) for variant_id, quantity in quantities.items()]


def _placed(decision: Decision) -> Placed:
    return Placed(
        decision.response_status,
        decision.response_body,
        decision.order.id,
        is_replay=False,
        decision=decision,
    )

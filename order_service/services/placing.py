"""Placing an order: look, reserve, decide; then wake whoever works on it.

The protocol and its crash table: docs/adr, "one unique key decides". The insert of the idempotency
row is the commit decision; nothing is released while the outcome is unknown.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis

from common_lib.awaited import ensure_awaited
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
from order_service.schemas.orders import PlaceOrder
from order_service.services.attempts import (
    KEY_IS_OPEN,
    UNKNOWN_REQUEST,
    Attempt,
    OrderAborted,
    Placed,
    merged,
    placed_by,
    replay,
)
from order_service.services.carts import Carts
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
from order_service.services.seats import Seats
from order_service.services.unfinished import Unfinished
from order_service.services.waking import PAYMENT_WAKE_CHANNEL
from order_service.settings import Settings

log = structlog.get_logger(__name__)

ROUTE: Final = "POST /api/orders"
_DECIDE_ATTEMPTS: Final = 12
_LONGEST_PAUSE_S: Final = 0.01
# What a reservation may meet after it was made, and what then gives it back.
_KNOWN_FAILURES: Final = (Conflict, Rejected, NotFound)


class TooManyOpenOrders(Conflict):
    code = "too_many_open_orders"
    title = "Pay or cancel an open order first"


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
        self._unfinished = Unfinished(self._let_go, grace_s=settings.unfinished_order_grace_s)
        self._seats = Seats(settings)
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
        try:
            async with self._in_flight.only(f"order:{attempt.reservation_id}"):
                return await self._place_anew(attempt, before)
        except (IdempotencyKeyReused, NotFound):
            raise  # "not there" says nothing more, as everywhere
        except DomainError as error:
            # Of two requests with one key the other may yet be answered 201.
            error.details.setdefault(KEY_IS_OPEN, True)
            raise

    async def after(self, placed: Placed) -> None:
        """Wake the relay and the payment worker, empty the cart; all of it is only sooner.

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
        if placed.is_from_cart:
            # Not what the cart held: with a key used again, an older reservation was ordered.
            ordered = [Line(item.variant_id, item.quantity) for item in decision.items]
            await self._carts.take_out(decision.order.user_id, ordered)

    async def abort(self, user_id: UUID, key: str) -> StoredOutcome:
        """Decide for the catalog's sweeper: ABORTED unless the order was placed before.

        Returns what holds; repeating it is safe. Raises Unavailable when nothing is known.
        """
        error = OrderAborted("send the order again with a new idempotency key")
        error.details[KEY_IS_OPEN] = False
        await self._write_aborted(user_id, key, UNKNOWN_REQUEST, error)
        outcome = await sql.outcome_of(self._database, user_id, key)
        if outcome is None:
            raise Unavailable("the outcome is not known yet", retry_after_s=1)
        return outcome

    async def close(self) -> None:
        await self._unfinished.close()

    def unfinished(self) -> int:
        """Count the attempts that will be decided and given back unless they are made again."""
        return len(self._unfinished)

    async def _let_go(self, user_id: UUID, key: str) -> None:
        """Decide an attempt that nobody finished and give its stock back; PLACED stays PLACED."""
        outcome = await self.abort(user_id, key)
        if outcome.state is KeyState.ABORTED:
            await self._catalog.release(reservation_id_of(user_id, key), OrderAborted.code)

    async def _place_anew(self, attempt: Attempt, before: LookBefore) -> Placed:
        coupon = self._usable_coupon(attempt, before)
        self._check_slots(attempt, before)
        wish = await self._wish(attempt, coupon)
        lines = await self._lines(attempt)
        async with self._seats.one(), self._let_go_unless_known(attempt):
            placed = await self._take_and_write(attempt, wish, lines, before)
        if isinstance(placed, ReservationClosed):
            # Given back by the sweeper or by a request beside us: its answer is stored.
            return await self._replay_decided(attempt)
        if isinstance(placed, DomainError):
            return await self._give_up(attempt, placed)
        return replace(placed, is_from_cart=attempt.request.items is None)

    @asynccontextmanager
    async def _let_go_unless_known(self, attempt: Attempt) -> AsyncIterator[None]:
        """Have what the block may leave held given back soon. Raises NobodyWaits before it."""
        ensure_awaited()
        self._unfinished.forget(attempt.user_id, attempt.key)
        try:
            yield
        except Unavailable as error:
            if error.is_outcome_unknown:
                self._unfinished.note(attempt.user_id, attempt.key)
            raise

    async def _take_and_write(
        self, attempt: Attempt, wish: Wish, lines: Sequence[Line], before: LookBefore
    ) -> Placed | DomainError:
        """Run TX1, then TX2 on a connection that was there before TX1 took anything.

        Returns what refuses the order after stock was held, to be decided. Raises what refused it
        before, and Unavailable: whatever is held then is let go of soon, unless a retry takes it.
        """
        async with self._database.driver() as connection:
            try:
                reservation = await self._reserve(attempt, lines)
            except ReservationClosed as error:
                return error
            try:
                ensure_awaited()
                return await self._decide(connection, attempt, wish, reservation, before)
            except _KNOWN_FAILURES as error:
                return error
            except Unavailable as error:
                error.is_outcome_unknown = True  # the stock is held, whatever became of TX2
                raise

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

    async def _lines(self, attempt: Attempt) -> list[Line]:
        """Return the lines asked for, one per variant, or those of the cart."""
        items = attempt.request.items
        if items is not None:
            return merged(items, self._settings.max_quantity)
        return await self._carts.lines_to_order(attempt.user_id)

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
        self,
        connection: Any,
        attempt: Attempt,
        wish: Wish,
        reservation: Reservation,
        before: LookBefore,
    ) -> Placed:
        """Run TX2 until it is decided; a verdict that new facts can mend is tried again."""
        totals = price(reservation.lines, self._tariff, wish.coupon)
        check_expected(totals.total, wish.expected_total)
        is_unpaid = not is_confirmed_at_once(wish.payment_method, totals.total)
        for attempts in range(_DECIDE_ATTEMPTS):
            slot = self._free_slot(before) if is_unpaid else None
            decision = draft(wish, reservation, totals, self._terms, slot)
            verdict = await self._transact(connection, decision)
            if verdict is Verdict.PLACED:
                return placed_by(decision)
            # Those who met once must not meet in step again.
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S) * attempts)
            before = await self._look_again(attempt, verdict)
            if before.outcome is not None:
                return replay(before.outcome, attempt.print_)
            wish = replace(wish, coupon=still_usable(wish.coupon, verdict, before))
        raise Unavailable("the order could not be written now", retry_after_s=1)

    async def _transact(self, connection: Any, decision: Decision) -> Verdict | None:
        """Run TX2 once; None when the connection broke in the COMMIT and nobody knows yet.

        A connection that broke before is replaced, then and later.
        """
        crash_point("order.before_tx2")
        started = time.perf_counter()
        try:
            if connection.connected:
                verdict = await sql.write(connection, decision)
            else:
                async with self._database.driver() as another:
                    verdict = await sql.write(another, decision)
        except CommitUnknown:
            log.warning("order.commit_unknown", order_id=str(decision.order.id))
            return None
        if verdict is not Verdict.PLACED:
            return verdict
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
        error.details[KEY_IS_OPEN] = False
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

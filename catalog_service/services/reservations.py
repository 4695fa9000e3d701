"""Taking stock and moving reservations on: the catalog's half of the order protocol."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import (
    Admission,
    ReservationNotFound,
    ReservationReleased,
    ReserveCommand,
    admit,
    effect_of,
    may_move,
)
from catalog_service.queries import inventory as stock
from catalog_service.queries import reservations as tx1
from catalog_service.services import purchases
from catalog_service.services.batcher import BatchResult
from catalog_service.settings import SERVICE
from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import (
    TRANSACTION_ATTEMPTS,
    Database,
    WriteSession,
    is_duplicate_key,
    is_lock_conflict,
    is_null_refused,
)
from common_lib.driver_errors import is_connection_lost
from common_lib.errors import CommitUnknown, Unavailable
from common_lib.outbox import enqueue


async def reserve_together(
    database: Database, commands: Sequence[ReserveCommand], *, ttl_s: float
) -> BatchResult:
    """Take the stock for all commands in one transaction (TX1); what is granted is durable.

    Where there is ample stock the counters are not locked before the guarded update, so that two
    processes write their reservations side by side. A deadlock, a lock timeout, a reservation
    inserted meanwhile or a guard that failed runs the block again with locked counters, at most
    three times. Raises CommitUnknown or Unavailable.
    """
    for attempt in range(1 + TRANSACTION_ATTEMPTS):
        async with database.driver() as connection:
            result = await _attempt(connection, commands, ttl_s, is_again=attempt > 0)
        if result is not None:
            return result
    raise Unavailable("the stock is too contended just now", retry_after_s=1)


async def known_reservations(
    database: Database, reservation_ids: Collection[UUID]
) -> Collection[UUID]:
    """Return which of the reservations exist. One that is just being written is waited for."""
    async with database.driver() as connection:
        try:
            return await tx1.existing_reservations(connection, reservation_ids)
        except Exception as error:
            if not is_lock_conflict(error):
                raise
            await connection.rollback()
            return reservation_ids  # TX1 is to say


async def _attempt(
    connection: Any, commands: Sequence[ReserveCommand], ttl_s: float, *, is_again: bool
) -> BatchResult | None:
    """Run TX1 once. None: rolled back, to be run again."""
    try:
        return await _tx1(connection, commands, ttl_s, is_again=is_again)
    except Exception as error:
        if not (is_lock_conflict(error) or is_duplicate_key(error) or is_null_refused(error)):
            raise
        await connection.rollback()
        return None


async def _tx1(
    connection: Any, commands: Sequence[ReserveCommand], ttl_s: float, *, is_again: bool
) -> BatchResult:
    started = time.perf_counter()
    view = await tx1.read_stock(connection, _variants(commands), is_locking=is_again)
    at = now()
    admission = admit(commands, view, at + timedelta(seconds=ttl_s))
    if not (view.is_locked or admission.is_ample()):
        view = await tx1.lock_counters(connection, view)
        admission = admit(commands, view, admission.expires_at)
    # Most requests are new: the primary key tells of the others, and is asked again. Only who would
    # be refused is looked up at once, as what they ask for may be theirs already.
    doubtful = _reservations(commands) if is_again else admission.refused()
    known = await tx1.known_reservations(connection, doubtful) if doubtful else {}
    if known:
        admission = admit(commands, replace(view, known=known), admission.expires_at)
    confirmed = time.perf_counter()
    events = admission.crossings()
    if admission.granted:
        if events:
            await tx1.write_events(connection, events, source=SERVICE)
        crash_point("catalog.before_tx1_commit")
        await _write_and_commit(connection, admission, at)
        crash_point("catalog.after_tx1_commit")
    else:
        await connection.rollback()
    return BatchResult(
        outcomes=admission.outcomes,
        sold_out=admission.sold_out(),
        changed=frozenset(admission.taken),
        crossed_products=frozenset(event.product_id for event in events),
        confirm_ms=(confirmed - started) * 1000,
        reserve_ms=(time.perf_counter() - confirmed) * 1000,
    )


async def _write_and_commit(connection: Any, admission: Admission, at: datetime) -> None:
    try:
        await tx1.write_and_commit(connection, admission, at)
    except Exception as error:
        if is_connection_lost(error):
            raise CommitUnknown(retry_after_s=1) from error
        raise


def _variants(commands: Sequence[ReserveCommand]) -> list[UUID]:
    found = {line.variant_id for command in commands for line in command.lines}
    return sorted(found, key=lambda variant_id: variant_id.int)


def _reservations(commands: Sequence[ReserveCommand]) -> set[UUID]:
    return {command.reservation_id for command in commands}


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a reservation stands now; `changed` names the variants whose availability rose.

    `restocked` names the products of those that were sold out until now.
    """

    reservation_id: UUID
    status: ReservationStatus
    changed: frozenset[UUID] = frozenset()
    restocked: frozenset[UUID] = frozenset()


async def move(
    session: WriteSession,
    reservation_id: UUID,
    target: ReservationStatus,
    *,
    reason: str | None = None,
) -> Moved:
    """Move a reservation if the state graph allows it, with its stock and ledger rows.

    What was sold out until units came back is told by BACK_IN_STOCK.

    Safe to repeat: a move that is done or was overtaken changes nothing and returns where the
    reservation stands. Locks the counters in variant order, then the reservation. Raises
    ReservationNotFound.
    """
    lines = await stock.lock_lines(session, reservation_id)
    current = await stock.lock_status(session, reservation_id)
    if current is None:
        raise ReservationNotFound
    if not lines:  # it was just being written: now that it is locked, its lines are there
        lines = await stock.lock_lines(session, reservation_id)
    if not may_move(current, target):
        return Moved(reservation_id, current)
    await stock.set_status(session, reservation_id, current, target, reason)
    effect = effect_of(current, target)
    if effect is None:
        crash_point("catalog.before_commit_hold")
        return Moved(reservation_id, target)
    if target is not ReservationStatus.RELEASED:
        await stock.apply_effect(session, reservation_id, lines, effect, reason or "")
        return Moved(reservation_id, target)
    crash_point("catalog.release_mid")
    await stock.apply_effect(session, reservation_id, lines, effect, reason or "")
    if current is ReservationStatus.CONSUMED:
        await purchases.take_back(session, reservation_id)
    events = [
        event
        for line in lines.values()
        for event in line.item.restocked(line.available, line.available + line.quantity)
    ]
    await enqueue(session, *events, source=SERVICE)
    restocked = frozenset(event.product_id for event in events)
    return Moved(reservation_id, target, frozenset(lines), restocked)


async def consume(
    session: WriteSession, reservation_id: UUID, *, buyer_id: UUID | None = None
) -> Moved:
    """Move a reservation to CONSUMED; its units count as bought from then on.

    Safe to repeat. The buyer is whom the reservation names, unless given. Raises
    ReservationNotFound.
    """
    moved = await move(session, reservation_id, ReservationStatus.CONSUMED)
    if moved.status is ReservationStatus.CONSUMED:
        await purchases.record(session, reservation_id, buyer_id)
    return moved


async def release(database: Database, reservation_id: UUID, reason: str) -> Moved:
    """Give the stock back, once however often it is called. Raises ReservationNotFound."""

    async def work(session: WriteSession) -> Moved:
        return await move(session, reservation_id, ReservationStatus.RELEASED, reason=reason)

    return await database.transact(work)


async def confirm(database: Database, reservation_id: UUID, target: ReservationStatus) -> Moved:
    """Commit or consume a reservation. Raises ReservationNotFound or ReservationReleased."""

    async def work(session: WriteSession) -> Moved:
        if target is ReservationStatus.CONSUMED:
            return await consume(session, reservation_id)
        return await move(session, reservation_id, target)

    moved = await database.transact(work)
    if moved.status is ReservationStatus.RELEASED:
        raise ReservationReleased
    return moved

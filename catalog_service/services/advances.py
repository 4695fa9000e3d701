"""Reservations whose orders were placed or confirmed go on, many in one step.

What is joined is locked in the one order that all follow: counters by variant, reservations by id,
purchases, products by id.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from catalog_service.models.inventory import ReservationLine, ReservationStatus
from catalog_service.models.reservations import may_move
from catalog_service.queries import advances as queries
from catalog_service.queries.purchases import Basket, add_sold, insert_purchases
from catalog_service.services.reservations import consume, move
from common_lib.crash_points import crash_point
from common_lib.database import WriteSession

Buyers = Mapping[UUID, UUID]

_MEANT: Final = (ReservationStatus.COMMITTED, ReservationStatus.CONSUMED)


async def advance(
    session: WriteSession, targets: Mapping[UUID, ReservationStatus], buyers: Buyers
) -> Mapping[UUID, ReservationStatus]:
    """Move reservations on to COMMITTED or CONSUMED where they may; return where each stands then.

    `buyers` names who bought by reservation. Safe to repeat. Raises ReservationNotFound.
    """
    lines = await queries.lines_of(session, targets)
    consumed = _with_target(targets, ReservationStatus.CONSUMED)
    await queries.lock_counters(
        session, {line.variant_id for each in consumed for line in lines.get(each, ())}
    )
    standing = await queries.lock_standings(session, targets)
    moving = {
        each: target
        for each, target in targets.items()
        if each in lines and each in standing and may_move(standing[each].status, target)
    }
    for target in _MEANT:
        if ids := _with_target(moving, target):
            await queries.set_status(session, ids, target)
    if moving:
        crash_point("catalog.before_commit_hold")
    taken = {each: lines[each] for each in _with_target(moving, ReservationStatus.CONSUMED)}
    if taken:
        await queries.consume(session, taken)
        await _remember(
            session,
            [Basket(standing[each].order_id, buyers[each], _units(lines[each])) for each in taken],
        )
    others = [each for each in targets if each not in moving]
    return moving | {
        each: await _move_alone(session, each, targets[each], buyers) for each in others
    }


async def lock_stock_of(session: WriteSession, reservation_ids: Collection[UUID]) -> None:
    """Lock the counters that these reservations are about, before any of them is moved."""
    lines = await queries.lines_of(session, reservation_ids)
    await queries.lock_counters(
        session, {line.variant_id for each in lines.values() for line in each}
    )


async def _remember(session: WriteSession, baskets: Sequence[Basket]) -> None:
    """Remember the purchases of what has just been consumed, and add to the products' totals."""
    await insert_purchases(session, baskets)
    sold = sum((Counter(basket.units) for basket in baskets), Counter())
    await add_sold(session, dict(sorted(sold.items(), key=lambda pair: pair[0].bytes)))


def _units(lines: Sequence[ReservationLine]) -> Mapping[UUID, int]:
    units = Counter[UUID]()
    for line in lines:
        units[line.product_id] += line.quantity
    return units


async def _move_alone(
    session: WriteSession, reservation_id: UUID, target: ReservationStatus, buyers: Buyers
) -> ReservationStatus:
    """Move one that is there already, was released, or is not known; raises if it is not."""
    if target is ReservationStatus.CONSUMED:
        moved = await consume(session, reservation_id, buyer_id=buyers[reservation_id])
    else:
        moved = await move(session, reservation_id, target)
    return moved.status


def _with_target(
    targets: Mapping[UUID, ReservationStatus], wanted: ReservationStatus
) -> list[UUID]:
    return [each for each, target in targets.items() if target is wanted]

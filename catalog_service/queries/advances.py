"""Reservations that go on as they were meant to, many in one statement each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.inventory import (
    MovementKind,
    ReservationLine,
    ReservationStatus,
    StockMovement,
)
from common_lib.clock import now
from common_lib.database import WriteSession, to_column
from common_lib.ids import new_id


def _with_ids(statement: str) -> sa.TextClause:
    return sa.text(statement).bindparams(sa.bindparam("ids", expanding=True))


# In the order of the primary key, as everybody locks them; FORCE INDEX: a scan of a small table
# would wait for strangers' rows.
_LOCK_COUNTERS: Final = _with_ids(
    "SELECT variant_id FROM inventory FORCE INDEX (PRIMARY)"
    " WHERE variant_id IN :ids ORDER BY variant_id FOR UPDATE"
)
_LOCK_STANDINGS: Final = _with_ids(
    "SELECT id, status, order_id FROM reservations FORCE INDEX (PRIMARY)"
    " WHERE id IN :ids ORDER BY id FOR UPDATE"
)
_SET_STATUS: Final = _with_ids(
    "UPDATE reservations SET status = :target, updated_at = :at WHERE id IN :ids"
)
_CONSUME: Final = _with_ids(
    "UPDATE inventory i JOIN ("
    "  SELECT variant_id, SUM(quantity) AS units FROM reservation_lines"
    "  WHERE reservation_id IN :ids GROUP BY variant_id"
    " ) taken ON taken.variant_id = i.variant_id"
    " SET i.quantity = i.quantity - taken.units, i.reserved = i.reserved - taken.units,"
    " i.version = i.version + 1, i.updated_at = :at"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a reservation stands, and the order it is for."""

    status: ReservationStatus
    order_id: UUID


async def lines_of(
    session: WriteSession, reservation_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[ReservationLine]]:
    """Return the lines of each reservation that has any."""
    select = (
        sa.select(ReservationLine)
        .where(ReservationLine.reservation_id.in_(reservation_ids))
        .order_by(ReservationLine.reservation_id, ReservationLine.variant_id)
    )
    found: dict[UUID, list[ReservationLine]] = {}
    for line in await session.scalars(select):
        found.setdefault(line.reservation_id, []).append(line)
    return found


async def lock_counters(session: WriteSession, variant_ids: Collection[UUID]) -> None:
    """Lock the counters of these variants, in variant order."""
    if variant_ids:
        await session.execute(_LOCK_COUNTERS, {"ids": _raw(variant_ids)})


async def lock_standings(
    session: WriteSession, reservation_ids: Collection[UUID]
) -> Mapping[UUID, Standing]:
    """Lock the reservations in id order and return where each stands that there is."""
    rows = await session.execute(_LOCK_STANDINGS, {"ids": _raw(reservation_ids)})
    return {
        UUID(bytes=row.id): Standing(ReservationStatus(row.status), UUID(bytes=row.order_id))
        for row in rows
    }


async def set_status(
    session: WriteSession, reservation_ids: Collection[UUID], target: ReservationStatus
) -> None:
    """Move reservations that are locked and may be moved."""
    values = {"ids": _raw(reservation_ids), "target": target.value, "at": to_column(now())}
    await session.execute(_SET_STATUS, values)


async def consume(session: WriteSession, lines: Mapping[UUID, Sequence[ReservationLine]]) -> None:
    """Take the units of these reservations off both counters, and write the ledger."""
    at = now()
    await session.execute(_CONSUME, {"ids": _raw(lines), "at": to_column(at)})
    rows = [_consumption(line) | {"created_at": at} for each in lines.values() for line in each]
    await session.execute(sa.insert(StockMovement), rows)


def _consumption(line: ReservationLine) -> dict[str, Any]:
    return {
        "id": new_id(),
        "variant_id": line.variant_id,
        "reservation_id": line.reservation_id,
        "kind": MovementKind.CONSUME,
        "quantity_delta": -line.quantity,
        "reserved_delta": -line.quantity,
        "reason": "",
    }


def _raw(ids: Collection[UUID]) -> list[bytes]:
    return [each.bytes for each in ids]

"""Counters, ledger and the states of reservations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CursorResult

from catalog_service.models.inventory import (
    Inventory,
    MovementKind,
    ReservationLine,
    ReservationStatus,
    ShelfItem,
    StockMovement,
)
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from catalog_service.models.reservations import Effect
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession, to_column
from common_lib.ids import new_id

_LOCK_COUNTERS: Final = sa.text(
    "SELECT i.variant_id, i.quantity - i.reserved, i.reorder_level"
    " FROM inventory i FORCE INDEX (PRIMARY) WHERE i.variant_id IN :variants"
    " ORDER BY i.variant_id FOR UPDATE"
).bindparams(sa.bindparam("variants", expanding=True))
_LOCK_STATUS: Final = sa.text("SELECT status FROM reservations WHERE id = :id FOR UPDATE")
_SET_STATUS: Final = sa.text(
    "UPDATE reservations SET status = :target, release_reason = COALESCE(:reason, release_reason),"
    " updated_at = :at WHERE id = :id AND status = :current"
)
_APPLY_EFFECT: Final = sa.text(
    "UPDATE inventory i JOIN reservation_lines l ON l.variant_id = i.variant_id"
    " SET i.quantity = i.quantity + :quantity * l.quantity,"
    " i.reserved = i.reserved + :reserved * l.quantity,"
    " i.version = i.version + 1, i.updated_at = :at WHERE l.reservation_id = :id"
)
# FORCE INDEX: a scan would lock reservations that are not due.
_CLAIM_EXPIRED: Final = sa.text(
    "SELECT id, user_id, idempotency_key FROM reservations"
    " FORCE INDEX (ix_reservations_status_expires_at)"
    " WHERE status = 'HELD' AND expires_at <= :at ORDER BY expires_at LIMIT :limit"
    " FOR UPDATE SKIP LOCKED"
)
_LEASE: Final = sa.text("UPDATE reservations SET expires_at = :until WHERE id IN :ids").bindparams(
    sa.bindparam("ids", expanding=True)
)


@dataclass(frozen=True, slots=True)
class LockedLine:
    """Units of a reservation with what was available beside them when the counter was locked."""

    item: ShelfItem
    quantity: int
    available: int


async def lock_lines(session: WriteSession, reservation_id: UUID) -> Mapping[UUID, LockedLine]:
    """Return the reservation's lines by variant, with their counters locked in variant order."""
    select = sa.select(
        ReservationLine.variant_id,
        ReservationLine.product_id,
        ReservationLine.sku,
        ReservationLine.name,
        ReservationLine.quantity,
    ).where(ReservationLine.reservation_id == reservation_id)
    lines = {row.variant_id: row for row in await session.execute(select)}
    if not lines:
        return {}
    variants = {"variants": [variant_id.bytes for variant_id in lines]}
    levels = {
        UUID(bytes=raw): (available, reorder_level)
        for raw, available, reorder_level in await session.execute(_LOCK_COUNTERS, variants)
    }
    return {variant_id: _locked(line, *levels[variant_id]) for variant_id, line in lines.items()}


def _locked(
    line: sa.Row[UUID, UUID, str, str, int], available: int, reorder_level: int
) -> LockedLine:
    item = ShelfItem(line.variant_id, line.product_id, line.sku, line.name, reorder_level)
    return LockedLine(item, line.quantity, available)


async def lock_status(session: WriteSession, reservation_id: UUID) -> ReservationStatus | None:
    found = (await session.execute(_LOCK_STATUS, {"id": reservation_id.bytes})).scalar()
    return None if found is None else ReservationStatus(found)


async def set_status(
    session: WriteSession,
    reservation_id: UUID,
    current: ReservationStatus,
    target: ReservationStatus,
    reason: str | None,
) -> None:
    """Move the state by compare-and-set; the row is locked, so the comparison holds."""
    values = {
        "id": reservation_id.bytes,
        "current": current.value,
        "target": target.value,
        "reason": reason,
        "at": to_column(now()),
    }
    await session.execute(_SET_STATUS, values)


async def apply_effect(
    session: WriteSession,
    reservation_id: UUID,
    lines: Mapping[UUID, LockedLine],
    effect: Effect,
    reason: str,
) -> None:
    """Change the counters of all lines in one statement and write the ledger in another."""
    at = now()
    values = {
        "id": reservation_id.bytes,
        "quantity": effect.quantity,
        "reserved": effect.reserved,
        "at": to_column(at),
    }
    await session.execute(_APPLY_EFFECT, values)
    rows = [
        {
            "id": new_id(),
            "variant_id": variant_id,
            "reservation_id": reservation_id,
            "kind": effect.kind,
            "quantity_delta": effect.quantity * line.quantity,
            "reserved_delta": effect.reserved * line.quantity,
            "reason": reason,
            "created_at": at,
        }
        for variant_id, line in lines.items()
    ]
    await session.execute(sa.insert(StockMovement), rows)


@dataclass(frozen=True, slots=True)
class ExpiredHold:
    """A reservation past its time and, where they were given, who to ask about it."""

    reservation_id: UUID
    user_id: UUID | None
    idempotency_key: str | None


async def claim_expired(
    session: WriteSession, *, at: datetime, lease_s: float, limit: int
) -> list[ExpiredHold]:
    """Take the next expired holds for `lease_s` seconds; another sweeper skips them."""
    parameters = {"at": to_column(at), "limit": limit}
    rows = (await session.execute(_CLAIM_EXPIRED, parameters)).all()
    if rows:
        until = to_column(at + timedelta(seconds=lease_s))
        await session.execute(_LEASE, {"until": until, "ids": [row.id for row in rows]})
    return [
        ExpiredHold(
            UUID(bytes=row.id),
            UUID(bytes=row.user_id) if row.user_id else None,
            row.idempotency_key,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class StockOnShelf:
    """A variant's counters with the product they belong to."""

    inventory: Inventory
    product_id: UUID
    seller_id: UUID | None
    sku: str
    product_name: str
    variant_name: str
    status: ProductStatus
    is_active: bool

    @property
    def is_for_sale(self) -> bool:
        return self.status is ProductStatus.ACTIVE and self.is_active


_SHELVES: Final = (
    sa.select(
        Inventory,
        Product.id,
        Product.seller_id,
        ProductVariant.sku,
        Product.name,
        ProductVariant.name,
        Product.status,
        ProductVariant.is_active,
    )
    .join(ProductVariant, ProductVariant.id == Inventory.variant_id)
    .join(Product, Product.id == ProductVariant.product_id)
)


async def stock_by_variant(session: AnySession, variant_id: UUID) -> StockOnShelf | None:
    return await _stock(session, variant_id, is_locking=False)


async def lock_stock_of(session: WriteSession, variant_id: UUID) -> StockOnShelf | None:
    """Return the same with the counter's row locked."""
    select = sa.select(Inventory).where(Inventory.variant_id == variant_id).with_for_update()
    await session.execute(select)
    return await _stock(session, variant_id, is_locking=True)


async def _stock(session: AnySession, variant_id: UUID, *, is_locking: bool) -> StockOnShelf | None:
    select = _SHELVES.where(Inventory.variant_id == variant_id).execution_options(
        populate_existing=is_locking
    )
    row = (await session.execute(select)).one_or_none()
    return None if row is None else StockOnShelf(*row)


async def adjust_quantity(session: WriteSession, variant_id: UUID, delta: int) -> bool:
    """Add to the shelf by a guarded update; False if fewer would be left than are reserved."""
    update = (
        sa.update(Inventory)
        .where(Inventory.variant_id == variant_id, Inventory.quantity + delta >= Inventory.reserved)
        .values(
            quantity=Inventory.quantity + delta, version=Inventory.version + 1, updated_at=now()
        )
        .execution_options(synchronize_session=False)
    )
    return matched(await session.execute(update)) == 1


async def set_reorder_level(session: WriteSession, variant_id: UUID, level: int) -> None:
    update = (
        sa.update(Inventory)
        .where(Inventory.variant_id == variant_id)
        .values(reorder_level=level, version=Inventory.version + 1, updated_at=now())
        .execution_options(synchronize_session=False)
    )
    await session.execute(update)


async def movements(
    session: AnySession, variant_id: UUID, *, before: UUID | None, limit: int
) -> list[StockMovement]:
    """Return the next `limit` rows of a variant's ledger, newest first."""
    select = sa.select(StockMovement).where(StockMovement.variant_id == variant_id)
    if before is not None:
        select = select.where(StockMovement.id < before)
    return list(await session.scalars(select.order_by(StockMovement.id.desc()).limit(limit)))


async def low_stock(
    session: AnySession, seller_id: UUID | None, *, after: UUID | None, limit: int
) -> list[StockOnShelf]:
    """Return the next `limit` low items by variant id: of one store, or of all.

    Of all, they are read from the index of low ones. Of one store, the optimizer may begin with
    its products, where those are fewer.
    """
    select = _SHELVES.where(
        # Not the bare column: MySQL would make `<> 0` of it, which no index answers.
        Inventory.is_low == sa.true(),
        ProductVariant.is_active == sa.true(),
        Product.status != ProductStatus.ARCHIVED,
    )
    if seller_id is None:
        select = select.with_hint(Inventory, "FORCE INDEX (ix_inventory_is_low_variant_id)")
    else:
        select = select.where(Product.seller_id == seller_id)
    if after is not None:
        select = select.where(Inventory.variant_id > after)
    rows = await session.execute(select.order_by(Inventory.variant_id).limit(limit))
    return [StockOnShelf(*row) for row in rows]


def movement(
    variant_id: UUID, kind: MovementKind, delta: int, *, reason: str, actor_id: UUID | None
) -> dict[str, Any]:
    """Return the values of a ledger row about the shelf itself."""
    return {
        "id": new_id(),
        "variant_id": variant_id,
        "kind": kind,
        "quantity_delta": delta,
        "reserved_delta": 0,
        "reason": reason,
        "actor_id": actor_id,
        "created_at": now(),
    }


async def write_movements(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    await session.execute(sa.insert(StockMovement), list(rows))


def matched(result: object) -> int:
    """Return how many rows a statement matched."""
    return cast("CursorResult[Any]", result).rowcount

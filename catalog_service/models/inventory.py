"""Stock, the reservations that hold it, and the ledger of every change.

Per variant, always: `reserved` is the sum of the lines of HELD and COMMITTED reservations,
`quantity` is the sum of the ledger's `quantity_delta`, and `available` is quantity minus reserved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps, enum_column
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.events.catalog import BackInStock


class Inventory(Base):
    """The counter of one variant. The CHECK stands behind the guarded updates.

    `is_low` is the database's own and there for its index: taking a unit touches the index only
    where the answer changes, and the low ones are found without a look at the others.
    """

    __tablename__ = "inventory"
    __table_args__ = (
        CheckConstraint("0 <= reserved AND reserved <= quantity", name="reserved_range"),
        CheckConstraint("reorder_level >= 0", name="reorder_level"),
        Index("ix_inventory_is_low_variant_id", "is_low", "variant_id"),
        TABLE_OPTIONS,
    )

    variant_id: Mapped[UUID] = mapped_column(
        Id, ForeignKey("product_variants.id"), primary_key=True
    )
    quantity: Mapped[int] = mapped_column(Integer)
    reserved: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    reorder_level: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    is_low: Mapped[bool] = mapped_column(
        Boolean, Computed("quantity - reserved <= reorder_level", persisted=True), deferred=True
    )

    @property
    def available(self) -> int:
        return self.quantity - self.reserved


@dataclass(frozen=True, slots=True)
class ShelfItem:
    """A variant as events about its stock name it."""

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    reorder_level: int

    def restocked(self, before: int, available: int) -> list[BackInStock]:
        """Return BACK_IN_STOCK where availability rose from nothing, else no event."""
        if not before <= 0 < available:
            return []
        event = BackInStock(
            variant_id=self.variant_id,
            product_id=self.product_id,
            sku=self.sku,
            name=self.name,
            available=available,
            reorder_level=self.reorder_level,
        )
        return [event]


class ReservationStatus(StrEnum):
    HELD = "HELD"
    COMMITTED = "COMMITTED"
    CONSUMED = "CONSUMED"
    RELEASED = "RELEASED"


# HELD → CONSUMED skips a step because events may overtake each other; CONSUMED → RELEASED is a
# confirmed order that was cancelled, which puts the units back on the shelf.
RESERVATION_MOVES: Final[Mapping[ReservationStatus, frozenset[ReservationStatus]]] = {
    ReservationStatus.HELD: frozenset(
        {ReservationStatus.COMMITTED, ReservationStatus.CONSUMED, ReservationStatus.RELEASED}
    ),
    ReservationStatus.COMMITTED: frozenset(
        {ReservationStatus.CONSUMED, ReservationStatus.RELEASED}
    ),
    ReservationStatus.CONSUMED: frozenset({ReservationStatus.RELEASED}),
    ReservationStatus.RELEASED: frozenset(),
}


class Reservation(Timestamps, Base):
    """Stock held for one order; its id is derived from the buyer and the idempotency key."""

    __tablename__ = "reservations"
    __table_args__ = (
        Index("ix_reservations_status_expires_at", "status", "expires_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    fingerprint: Mapped[str] = mapped_column(String(128, collation="utf8mb4_bin"))
    user_id: Mapped[UUID | None] = mapped_column(Id)
    idempotency_key: Mapped[str | None] = mapped_column(String(255, collation="utf8mb4_bin"))
    status: Mapped[ReservationStatus] = mapped_column(
        enum_column(ReservationStatus), default=ReservationStatus.HELD
    )
    release_reason: Mapped[str | None] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReservationLine(Base):
    """One variant of a reservation with the price, seller and names it was reserved at."""

    __tablename__ = "reservation_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price_minor >= 0", name="unit_price"),
        TABLE_OPTIONS,
    )

    reservation_id: Mapped[UUID] = mapped_column(
        Id, ForeignKey("reservations.id"), primary_key=True
    )
    variant_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id)
    seller_id: Mapped[UUID | None] = mapped_column(Id)
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(400))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(CHAR(3))


class MovementKind(StrEnum):
    INITIAL = "INITIAL"
    RESTOCK = "RESTOCK"
    CORRECTION = "CORRECTION"
    RESERVE = "RESERVE"
    RELEASE = "RELEASE"
    CONSUME = "CONSUME"
    RETURN = "RETURN"


class StockMovement(Base):
    """A row of the ledger, written with the change it records and never changed after."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        Index("ix_stock_movements_variant_id_id", "variant_id", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(Id)
    reservation_id: Mapped[UUID | None] = mapped_column(Id)
    kind: Mapped[MovementKind] = mapped_column(enum_column(MovementKind))
    quantity_delta: Mapped[int] = mapped_column(Integer)
    reserved_delta: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    reason: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    actor_id: Mapped[UUID | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

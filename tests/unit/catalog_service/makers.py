"""Valid defaults for the catalog's tests; a test states only what matters to it."""

from datetime import UTC, datetime
from uuid import UUID

from catalog_service.models.reservations import (
    HeldStock,
    Line,
    Offer,
    ReserveCommand,
    StockLevel,
    StockView,
)
from common_lib.ids import new_id

LATER = datetime(2026, 11, 22, 12, 15, tzinfo=UTC)


def command(
    *lines: tuple[UUID, int], fingerprint: str = "f", reservation_id: UUID | None = None
) -> ReserveCommand:
    ordered = sorted(lines, key=lambda line: line[0].int)
    return ReserveCommand(
        reservation_id=reservation_id or new_id(),
        order_id=new_id(),
        fingerprint=fingerprint,
        lines=tuple(Line(variant_id, n, i) for i, (variant_id, n) in enumerate(ordered)),
    )


def offer(*, is_for_sale: bool = True) -> Offer:
    return Offer(new_id(), None, "SKU-1", "A thing", 149_900, "INR", is_for_sale)


def view(
    available: dict[UUID, int], *, reorder_level: int = 0, known: tuple[HeldStock, ...] = ()
) -> StockView:
    return StockView(
        levels={v: StockLevel(n + 3, 3, reorder_level) for v, n in available.items()},
        offers={v: offer() for v in available},
        known={held.reservation_id: held for held in known},
    )


def held(for_command: ReserveCommand) -> HeldStock:
    return HeldStock(
        for_command.reservation_id, for_command.order_id, for_command.fingerprint, LATER, ()
    )

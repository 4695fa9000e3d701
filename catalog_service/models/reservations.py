"""The rules of reserving: who of those waiting gets stock, and what the answer is.

Nothing here knows SQL: `admit` decides over what the transaction has locked and read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from catalog_service.models.inventory import RESERVATION_MOVES, MovementKind, ReservationStatus
from common_lib.errors import Conflict, DomainError, FieldError, NotFound, Rejected
from common_lib.events.catalog import LowStockReached, OutOfStockReached, StockEvent


@dataclass(frozen=True, slots=True)
class Shortage:
    variant_id: UUID
    requested: int
    available: int


class InsufficientStock(Conflict):
    """Nothing is held: the details name each short line."""

    code = "insufficient_stock"
    title = "There is not enough stock"

    def __init__(self, shortages: Iterable[Shortage]) -> None:
        items = [
            {"variantId": str(s.variant_id), "requested": s.requested, "available": s.available}
            for s in shortages
        ]
        super().__init__(items=items)


class UnknownVariant(Rejected):
    """The variant does not exist or is not for sale."""

    code = "unknown_variant"
    title = "A variant does not exist or is not for sale"

    def __init__(self, lines: Iterable["Line"]) -> None:
        errors = [
            FieldError(f"/items/{line.position}/variantId", self.code, self.title) for line in lines
        ]
        super().__init__(errors=errors)


class ReservationKeyReused(Rejected):
    """The same reservation was asked for with another body."""

    code = "idempotency_key_reused"
    title = "This reservation was made for another request"


class ReservationReleased(Conflict):
    """The stock was given back; what was answered then no longer holds."""

    code = "reservation_released"
    title = "The reservation was released"


class ReservationNotFound(NotFound):
    code = "not_found"
    title = "There is no such reservation"


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one variant; `position` is where the caller first named it."""

    variant_id: UUID
    quantity: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class ReserveCommand:
    """A request for stock. Its lines name each variant once, in variant order."""

    reservation_id: UUID
    order_id: UUID
    fingerprint: str
    lines: tuple[Line, ...]
    user_id: UUID | None = None
    idempotency_key: str | None = None

    @property
    def queue_key(self) -> UUID:
        """The variant whose batch this request joins: the first in lock order."""
        return self.lines[0].variant_id


def merged_lines(items: Iterable[tuple[UUID, int]]) -> tuple[Line, ...]:
    """Join repeated variants and put them in lock order."""
    lines: dict[UUID, Line] = {}
    for position, (variant_id, quantity) in enumerate(items):
        first = lines.get(variant_id)
        lines[variant_id] = (
            Line(variant_id, quantity, position)
            if first is None
            else Line(variant_id, first.quantity + quantity, first.position)
        )
    if len(lines) == 1:
        return tuple(lines.values())
    return tuple(sorted(lines.values(), key=lambda line: line.variant_id.int))


@dataclass(frozen=True, slots=True)
class StockLevel:
    """A variant's counters as they were locked."""

    quantity: int
    reserved: int
    reorder_level: int

    @property
    def available(self) -> int:
        return self.quantity - self.reserved


@dataclass(frozen=True, slots=True)
class Offer:
    """What a variant is sold as at this moment."""

    product_id: UUID
    seller_id: UUID | None
    sku: str
    name: str
    price_minor: int
    currency: str
    is_for_sale: bool


@dataclass(frozen=True, slots=True)
class ReservedLine:
    variant_id: UUID
    quantity: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class HeldStock:
    """A reservation as it was, or is about to be, written."""

    reservation_id: UUID
    order_id: UUID
    fingerprint: str
    expires_at: datetime
    lines: tuple[ReservedLine, ...]
    status: ReservationStatus = ReservationStatus.HELD

    def replayed_for(self, command: ReserveCommand) -> "HeldStock":
        """Return the stored answer. Raises ReservationKeyReused or ReservationReleased."""
        if self.fingerprint != command.fingerprint:
            raise ReservationKeyReused
        if self.status is ReservationStatus.RELEASED:
            raise ReservationReleased
        return self


Outcome = HeldStock | DomainError


@dataclass(frozen=True, slots=True)
class StockView:
    """What one transaction locked or read: counters, offers, reservations that exist already."""

    levels: Mapping[UUID, StockLevel]
    offers: Mapping[UUID, Offer]
    known: Mapping[UUID, HeldStock]
    is_locked: bool = True


@dataclass(slots=True)
class Admission:
    """One outcome per command, in their order, and what has to be written for it."""

    commands: Sequence[ReserveCommand]
    view: StockView
    expires_at: datetime
    outcomes: list[Outcome] = field(default_factory=list)
    granted: dict[UUID, tuple[ReserveCommand, HeldStock]] = field(default_factory=dict)
    taken: dict[UUID, int] = field(default_factory=dict)

    def available(self, variant_id: UUID) -> int:
        return self.view.levels[variant_id].available - self.taken.get(variant_id, 0)

    def refused(self) -> set[UUID]:
        """Return the reservations that were not granted."""
        return {
            command.reservation_id
            for command, outcome in zip(self.commands, self.outcomes, strict=True)
            if isinstance(outcome, DomainError)
        }

    def is_ample(self) -> bool:
        """Tell whether the stock stays above every threshold: then no counter need be locked."""
        is_short = any(isinstance(outcome, InsufficientStock) for outcome in self.outcomes)
        return not is_short and all(
            self.available(variant_id) > self.view.levels[variant_id].reorder_level
            for variant_id in self.taken
        )

    def taken_in_order(self) -> list[tuple[UUID, int]]:
        """Return the units taken of each variant in lock order."""
        return sorted(self.taken.items(), key=lambda taken: taken[0].int)

    def sold_out(self) -> frozenset[UUID]:
        return frozenset(v for v in self.view.levels if self.available(v) <= 0)

    def crossings(self) -> list[StockEvent]:
        """Return one event per threshold that this batch crossed downwards."""
        return [
            event
            for variant_id in self.taken
            for event in crossings(
                variant_id,
                self.view.offers[variant_id],
                self.view.levels[variant_id],
                self.available(variant_id),
            )
        ]


def admit(commands: Sequence[ReserveCommand], view: StockView, expires_at: datetime) -> Admission:
    """Decide first come, first served. All lines of a command are granted, or none."""
    admission = Admission(commands, view, expires_at)
    for command in commands:
        try:
            outcome: Outcome = _decide(admission, command)
        except DomainError as refusal:
            outcome = refusal
        admission.outcomes.append(outcome)
    return admission


def _decide(admission: Admission, command: ReserveCommand) -> HeldStock:
    earlier = admission.view.known.get(command.reservation_id)
    if earlier is None and command.reservation_id in admission.granted:
        earlier = admission.granted[command.reservation_id][1]
    if earlier is not None:
        return earlier.replayed_for(command)
    _require_for_sale(admission.view, command)
    _require_stock(admission, command)
    return _grant(admission, command)


def _require_for_sale(view: StockView, command: ReserveCommand) -> None:
    unknown = [line for line in command.lines if not _is_for_sale(view, line.variant_id)]
    if unknown:
        raise UnknownVariant(unknown)


def _is_for_sale(view: StockView, variant_id: UUID) -> bool:
    offer = view.offers.get(variant_id)
    return offer is not None and offer.is_for_sale and variant_id in view.levels


def _require_stock(admission: Admission, command: ReserveCommand) -> None:
    short = [
        Shortage(line.variant_id, line.quantity, available)
        for line in command.lines
        if (available := admission.available(line.variant_id)) < line.quantity
    ]
    if short:
        raise InsufficientStock(short)


def _grant(admission: Admission, command: ReserveCommand) -> HeldStock:
    taken, offers = admission.taken, admission.view.offers
    for line in command.lines:
        taken[line.variant_id] = taken.get(line.variant_id, 0) + line.quantity
    held = HeldStock(
        command.reservation_id,
        command.order_id,
        command.fingerprint,
        admission.expires_at,
        tuple(
            ReservedLine(line.variant_id, line.quantity, offers[line.variant_id])
            for line in command.lines
        ),
    )
    admission.granted[command.reservation_id] = (command, held)
    return held


def crossings(
    variant_id: UUID, offer: Offer, before: StockLevel, available: int
) -> list[StockEvent]:
    """Return LOW_STOCK_ALERT and OUT_OF_STOCK where availability fell past their thresholds.

    A reorder level of zero asks for no low-stock alert.
    """
    facts = {
        "variant_id": variant_id,
        "product_id": offer.product_id,
        "sku": offer.sku,
        "name": offer.name,
        "available": available,
        "reorder_level": before.reorder_level,
    }
    events: list[StockEvent] = []
    if available <= before.reorder_level < before.available and before.reorder_level > 0:
        events.append(LowStockReached.model_validate(facts))
    if available <= 0 < before.available:
        events.append(OutOfStockReached.model_validate(facts))
    return events


@dataclass(frozen=True, slots=True)
class Effect:
    """What a move does to the counters, per unit, and how the ledger calls it."""

    quantity: int
    reserved: int
    kind: MovementKind


_UNTOUCHED = (ReservationStatus.HELD, ReservationStatus.COMMITTED)


def effect_of(current: ReservationStatus, target: ReservationStatus) -> Effect | None:
    """Return what moving a reservation does to the stock; None where the counters stay."""
    if target is ReservationStatus.CONSUMED:
        return Effect(-1, -1, MovementKind.CONSUME)
    if target is ReservationStatus.RELEASED and current in _UNTOUCHED:
        return Effect(0, -1, MovementKind.RELEASE)
    if target is ReservationStatus.RELEASED:
        return Effect(1, 0, MovementKind.RETURN)
    return None


def may_move(current: ReservationStatus, target: ReservationStatus) -> bool:
    return target in RESERVATION_MOVES[current]

"""Order events, by which reservations move on. Their order is not assumed."""

from collections.abc import Mapping
from typing import Final

from catalog_service.models.inventory import ReservationStatus
from catalog_service.services.announcements import Announcements
from catalog_service.services.reservations import Moved, move
from common_lib.consumer import Handler, Process, with_inbox
from common_lib.database import Database, WriteSession
from common_lib.events import Envelope, Event
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderEvent

QUEUE: Final = "catalog-queue"

_TARGETS: Final[Mapping[type[Event], ReservationStatus]] = {
    OrderCreated: ReservationStatus.COMMITTED,
    OrderConfirmed: ReservationStatus.CONSUMED,
    OrderCancelled: ReservationStatus.RELEASED,
}


def order_events(database: Database, announcements: Announcements) -> Process:
    """Return the process of catalog-queue: each event once, caches dropped after its commit."""

    async def process(envelope: Envelope) -> None:
        moved: list[Moved] = []
        handlers: dict[type[Event], Handler] = {
            kind: _handler(target, moved) for kind, target in _TARGETS.items()
        }
        await with_inbox(database, QUEUE, handlers)(envelope)
        for move_done in moved:
            await announcements.stock_changed(move_done.changed)

    return process


def _handler(target: ReservationStatus, moved: list[Moved]) -> Handler:
    async def handle(session: WriteSession, event: OrderEvent, envelope: Envelope) -> None:
        del envelope
        reason = event.reason[:64] if isinstance(event, OrderCancelled) else None
        moved.append(await move(session, event.reservation_id, target, reason=reason))

    return handle

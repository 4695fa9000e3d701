"""Order events, by which reservations move on and purchases count, and the catalog's own.

The catalog's own only mark what search must look at again. Of a user it hears only the end. No
order of them is assumed.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from catalog_service.models.inventory import ReservationStatus
from catalog_service.services import erasures, indexing, people
from catalog_service.services.announcements import Announcements
from catalog_service.services.reservations import Moved, consume, move
from catalog_service.services.store_news import tell_of_order
from common_lib.consumer import Handler, Process, with_inbox
from common_lib.database import Database, WriteSession
from common_lib.events import Envelope, Event, event_from
from common_lib.events.catalog import (
    BackInStock,
    OutOfStockReached,
    ProductCreated,
    ProductEvent,
    ProductUpdated,
    StockEvent,
)
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderEvent
from common_lib.events.users import UserDeleted

QUEUE: Final = "catalog-queue"
_Move = Callable[[WriteSession, OrderEvent], Awaitable[Moved]]


def queued_events(database: Database, announcements: Announcements) -> Process:
    """Return the process of catalog-queue: each event once, caches dropped after its commit."""

    async def process(envelope: Envelope) -> None:
        moved: list[Moved] = []
        handlers = {kind: _noting(each, moved) for kind, each in _MOVES.items()}
        handlers |= dict.fromkeys(_SEARCHED, _mark) | {UserDeleted: _forget}
        await _note_erasure(database, envelope)
        await with_inbox(database, QUEUE, handlers)(envelope)
        for move_done in moved:
            await announcements.reservation_moved(move_done)

    return process


def _noting(handle: _Move, moved: list[Moved]) -> Handler:
    async def noted(session: WriteSession, event: OrderEvent, envelope: Envelope) -> None:
        del envelope
        moved.append(await handle(session, event))

    return noted


async def _mark(
    session: WriteSession, event: ProductEvent | StockEvent, envelope: Envelope
) -> None:
    del envelope
    await indexing.mark(session, [event.product_id])


async def _note_erasure(database: Database, envelope: Envelope) -> None:
    """Commit who is being erased before it is looked for what is left of them."""
    if envelope.event_type != UserDeleted.event_type:
        return
    event = event_from(envelope)
    if isinstance(event, UserDeleted):
        await erasures.note(database, event.user_id)


async def _forget(session: WriteSession, event: UserDeleted, envelope: Envelope) -> None:
    del envelope
    await people.forget(session, event.user_id)


async def _created(session: WriteSession, event: OrderEvent) -> Moved:
    return await move(session, event.reservation_id, ReservationStatus.COMMITTED)


async def _confirmed(session: WriteSession, event: OrderEvent) -> Moved:
    moved = await consume(session, event.reservation_id, buyer_id=event.user_id)
    # One that was cancelled before it was heard of here is not to be sent.
    if isinstance(event, OrderConfirmed) and moved.status is ReservationStatus.CONSUMED:
        await tell_of_order(session, event)
    return moved


async def _cancelled(session: WriteSession, event: OrderEvent) -> Moved:
    reason = event.reason[:64] if isinstance(event, OrderCancelled) else None
    released = ReservationStatus.RELEASED
    if isinstance(event, OrderCancelled):
        await tell_of_order(session, event)
    return await move(session, event.reservation_id, released, reason=reason)


_MOVES: Final[Mapping[type[Event], _Move]] = {
    OrderCreated: _created,
    OrderConfirmed: _confirmed,
    OrderCancelled: _cancelled,
}
_SEARCHED: Final[tuple[type[Event], ...]] = (
    ProductCreated,
    ProductUpdated,
    OutOfStockReached,
    BackInStock,
)

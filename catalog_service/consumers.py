"""Order events, by which reservations move on and purchases count, and the catalog's own.

The catalog's own only mark what search must look at again. Of a user it hears only the end. No
order of them is assumed.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from catalog_service.models.inventory import ReservationStatus
from catalog_service.services import erasures, indexing, people
from catalog_service.services.advances import advance, lock_stock_of
from catalog_service.services.announcements import Announcements
from catalog_service.services.reservations import Moved, consume, move
from catalog_service.services.store_news import tell_of_orders
from common_lib.consumer import Delivery, Heard, Process, with_inbox_together
from common_lib.database import Database, WriteSession
from common_lib.events import Event, event_from
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
_ORDERS: Final[tuple[type[OrderEvent], ...]] = (OrderCreated, OrderConfirmed, OrderCancelled)
_SEARCHED: Final[tuple[type[Event], ...]] = (
    ProductCreated,
    ProductUpdated,
    OutOfStockReached,
    BackInStock,
)
HANDLED: Final[frozenset[type[Event]]] = frozenset({*_ORDERS, *_SEARCHED, UserDeleted})


def queued_events(database: Database, announcements: Announcements) -> Process:
    """Return the process of catalog-queue: each event once, caches dropped after its commit."""

    async def process(deliveries: Sequence[Delivery]) -> None:
        moved: list[Moved] = []

        async def handle(session: WriteSession, heard: Sequence[Heard]) -> None:
            moved[:] = await _handle(session, heard)

        await _note_erasures(database, deliveries)
        await with_inbox_together(database, QUEUE, HANDLED, handle)(deliveries)
        for move_done in moved:
            await announcements.reservation_moved(move_done)

    return process


async def _handle(session: WriteSession, heard: Sequence[Heard]) -> list[Moved]:
    """Do what the events call for, and return which reservations moved."""
    events = [event for event, _ in heard]
    cancelled = {each.reservation_id for each in events if isinstance(each, OrderCancelled)}
    if cancelled:  # their counters are locked with all others', and not after them
        orders = [each.reservation_id for each in events if isinstance(each, OrderEvent)]
        await lock_stock_of(session, orders)
    await _go_on(session, heard, cancelled)
    moved = await _follow(session, heard, cancelled)
    changed = [each.product_id for each in events if isinstance(each, ProductEvent | StockEvent)]
    if changed:
        await indexing.mark(session, list(dict.fromkeys(changed)))
    for event in events:
        if isinstance(event, UserDeleted):
            await people.forget(session, event.user_id)
    return moved


async def _go_on(session: WriteSession, heard: Sequence[Heard], but: set[UUID]) -> None:
    """Move the reservations of orders that were placed or confirmed, all together."""
    targets: dict[UUID, ReservationStatus] = {}
    buyers: dict[UUID, UUID] = {}
    confirmed: list[tuple[OrderConfirmed, Delivery]] = []
    for event, delivery in heard:
        if not isinstance(event, OrderCreated | OrderConfirmed) or event.reservation_id in but:
            continue
        buyers[event.reservation_id] = event.user_id
        targets.setdefault(event.reservation_id, ReservationStatus.COMMITTED)
        if isinstance(event, OrderConfirmed):
            targets[event.reservation_id] = ReservationStatus.CONSUMED
            confirmed.append((event, delivery))
    if targets:
        reached = await advance(session, targets, buyers)
        await tell_of_orders(session, _to_be_sent(confirmed, reached))


def _to_be_sent(
    confirmed: Sequence[tuple[OrderConfirmed, Delivery]],
    reached: Mapping[UUID, ReservationStatus],
) -> list[tuple[OrderConfirmed | OrderCancelled, Delivery]]:
    """Leave out what was cancelled before it was heard of here."""
    return [
        (event, delivery)
        for event, delivery in confirmed
        if reached[event.reservation_id] is ReservationStatus.CONSUMED
    ]


async def _follow(
    session: WriteSession, heard: Sequence[Heard], cancelled: set[UUID]
) -> list[Moved]:
    """Move the reservations of orders that are cancelled, event by event as they came."""
    moved = []
    for event, delivery in heard:
        if not isinstance(event, _ORDERS) or event.reservation_id not in cancelled:
            continue
        with delivery.bound():
            moved.append(await _moved_by(session, event))
        if isinstance(event, OrderCancelled):
            await tell_of_orders(session, [(event, delivery)])
        if isinstance(event, OrderConfirmed):
            reached = {event.reservation_id: moved[-1].status}
            await tell_of_orders(session, _to_be_sent([(event, delivery)], reached))
    return moved


async def _moved_by(session: WriteSession, event: OrderEvent) -> Moved:
    if isinstance(event, OrderConfirmed):
        return await consume(session, event.reservation_id, buyer_id=event.user_id)
    if isinstance(event, OrderCancelled):
        released = ReservationStatus.RELEASED
        return await move(session, event.reservation_id, released, reason=event.reason[:64])
    return await move(session, event.reservation_id, ReservationStatus.COMMITTED)


async def _note_erasures(database: Database, deliveries: Sequence[Delivery]) -> None:
    """Commit who is being erased before it is looked for what is left of them."""
    for delivery in deliveries:
        if delivery.envelope.event_type == UserDeleted.event_type:
            event = event_from(delivery.envelope)
            if isinstance(event, UserDeleted):
                await erasures.note(database, event.user_id)

"""What the order service tells the catalog, handed over as the queue would."""

from typing import Any
from uuid import UUID

from catalog_service.consumers import queued_events
from catalog_service.models.reservations import ReserveCommand
from common_lib.consumer import Delivery
from common_lib.events import Envelope
from common_lib.events.orders import OrderCancelled, OrderCreated, OrderEvent
from common_lib.money import Money
from tests.integration.catalog_service.conftest import Catalog


def told(kind: type[OrderEvent], command: ReserveCommand, buyer: UUID) -> Envelope:
    """Return an event about the order a reservation was made for."""
    own: dict[type[OrderEvent], dict[str, Any]] = {
        OrderCreated: {"lines": (), "payment_method": "COD"},
        OrderCancelled: {"reason": "changed my mind"},
    }
    facts = {
        "order_id": command.order_id,
        "order_number": "ORD-1",
        "user_id": buyer,
        "email": "a@b.example",
        "full_name": "A B",
        "reservation_id": command.reservation_id,
        "total": Money(amount=1),
    }
    return Envelope.wrap(kind.model_validate(facts | own.get(kind, {})), source="order-service")


async def deliver(catalog: Catalog, *envelopes: Envelope) -> None:
    """Deliver events one after the other."""
    for envelope in envelopes:
        await deliver_together(catalog, envelope)


async def deliver_together(catalog: Catalog, *envelopes: Envelope) -> None:
    """Deliver events as one batch."""
    process = queued_events(catalog.database, catalog.deps.announcements)
    await process([Delivery(envelope) for envelope in envelopes])

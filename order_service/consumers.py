"""Catalog and user events that touch carts."""

from typing import Any, Final

from common_lib.clock import now
from common_lib.consumer import Process, with_inbox
from common_lib.database import Database, WriteSession
from common_lib.events import Envelope
from common_lib.events.catalog import ProductUpdated
from common_lib.events.users import UserDeleted
from order_service.services import erasures
from order_service.services.carts import Carts

QUEUE: Final = "order-queue"


def cart_events(database: Database, carts: Carts) -> Process:
    """Return the process of order-queue: changed variants are repriced, deleted users forgotten.

    What is deleted in Redis is so before the inbox row commits: doing it twice is harmless.
    """

    async def reprice(session: WriteSession, event: Any, envelope: Envelope) -> None:
        del session, envelope
        await carts.forget_quotes([variant.variant_id for variant in event.variants])

    async def erase(session: WriteSession, event: Any, envelope: Envelope) -> None:
        del envelope
        await carts.clear(event.user_id)
        await erasures.note(session, event.user_id, now())

    return with_inbox(database, QUEUE, {ProductUpdated: reprice, UserDeleted: erase})

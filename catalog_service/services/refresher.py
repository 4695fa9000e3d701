"""Drops pages and stock a second time, by what the database says has changed.

Whoever changes a product drops its page after the commit. A process killed in between, or one that
cannot reach Redis, leaves the old page where it is: that is made good here. Stock moves too often
to drop the page with every order; the moves of a second drop it once.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from catalog_service.queries.changes import (
    Mark,
    changed_products,
    products_with_moved_stock,
    variants_of,
)
from catalog_service.services.announcements import Announcements
from common_lib.clock import Clock, now
from common_lib.database import Database
from common_lib.ids import first_id_at

# Ids are older than the commits they come with, by as long as the transaction took.
_LOOK_BACK: Final = timedelta(seconds=5)


@dataclass(slots=True)
class Refresher:
    """Remembers what it has seen; a new one begins with the last five seconds."""

    database: Database
    announcements: Announcements
    clock: Clock = now
    _products: dict[UUID, Mark] = field(default_factory=dict)
    _stock: dict[UUID, Mark] = field(default_factory=dict)

    async def refresh(self) -> int:
        """Drop the pages of what changed since the last look and return how many."""
        since = first_id_at(self.clock() - _LOOK_BACK)
        async with self.database.read_own_writes() as session:
            products = await changed_products(session, since)
            stock = await products_with_moved_stock(session, since)
            changed = _new(products, self._products)
            variants = await variants_of(session, changed) if changed else []
        dropped = changed | _new(stock, self._stock)
        self._products, self._stock = products, stock
        if dropped:
            await self.announcements.pages_changed(dropped)
            await self.announcements.stock_changed(variants)
        return len(dropped)


def _new(found: dict[UUID, Mark], known: dict[UUID, Mark]) -> set[UUID]:
    return {product_id for product_id, mark in found.items() if known.get(product_id) != mark}

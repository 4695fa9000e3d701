"""The products of suspended stores leave the shelf, and come back with their store.

What is to be done is read from the rows themselves (products on sale in a suspended store, hidden
ones in an active store), so a crash in between, or a product published while its store was being
suspended, is put right by the next round. Until then no unit is sold: a reservation asks for the
store's status too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from catalog_service.models.products import Product
from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.queries.bulk import write_products
from catalog_service.queries.products import lock_seller
from catalog_service.queries.sellers import (
    lock_hidden_products,
    lock_products_on_sale,
    sellers_with_stray_products,
)
from catalog_service.services.announcements import Announcements
from catalog_service.services.products.rules import tell_of_change
from common_lib.clock import Clock, now
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShelfKeeper:
    """`chunk` is how many products one transaction touches."""

    database: Database
    announcements: Announcements
    chunk: int = 100
    clock: Clock = now

    async def keep(self) -> int:
        """Put every store's products where its status wants them; return how many moved."""
        moved = 0
        try:
            async with self.database.read_own_writes() as session:
                stores = await sellers_with_stray_products(session)
            for seller_id in stores:
                while n := await self._move_chunk(seller_id):
                    moved += n
        except Unavailable as error:
            log.warning("shelf_keeper.waits", reason=error.code)
        return moved

    async def try_for(self, seller_id: UUID) -> None:
        """Move a store's first chunk; the worker moves the rest. Never raises."""
        try:
            await self._move_chunk(seller_id)
        except Unavailable as error:
            log.warning("shelf_keeper.left_to_worker", seller_id=str(seller_id), reason=error.code)

    async def _move_chunk(self, seller_id: UUID) -> int:
        products = await self.database.transact(lambda session: self._move(session, seller_id))
        if products:
            variants = (variant.id for product in products for variant in product.variants)
            ids = (product.id for product in products)
            await self.announcements.product_changed(*ids, variants=variants)
            log.info("shelf_keeper.moved", seller_id=str(seller_id), products=len(products))
        return len(products)

    async def _move(self, session: WriteSession, seller_id: UUID) -> Sequence[Product]:
        """Move under the share lock of the store, whose status so stays as it was read."""
        seller = await lock_seller(session, seller_id)
        products = await self._astray(session, seller) if seller is not None else ()
        moment = self.clock()
        for product in products:
            if seller is not None and seller.may_sell:
                product.come_back(moment)
            else:
                product.hide(moment)
        await write_products(session, products)
        await tell_of_change(session, *products)
        return products

    async def _astray(self, session: WriteSession, seller: Seller) -> Sequence[Product]:
        if seller.status is SellerStatus.SUSPENDED:
            return await lock_products_on_sale(session, seller.id, self.chunk)
        if seller.may_sell:
            return await lock_hidden_products(session, seller.id, self.chunk)
        return ()

"""What is done after a commit so that others see it soon; nothing here decides anything."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

from redis.asyncio import Redis

from catalog_service.services.batcher import BatchResult
from catalog_service.services.reservations import Moved
from catalog_service.settings import SERVICE, Settings
from common_lib.cache import TieredCache
from common_lib.outbox import wake

Component = Callable[[asyncio.Event], Awaitable[None]]


class Announcements:
    """Drops what caches hold about changed rows, and wakes the relay. Never raises."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self.products = TieredCache(redis, "product", ttl_s=settings.product_cache_ttl_s)
        self.stock = TieredCache(redis, "stock", ttl_s=settings.stock_cache_ttl_s)
        self.categories = TieredCache(redis, "category", ttl_s=settings.category_cache_ttl_s)
        self.searches = TieredCache(
            redis, "search", ttl_s=settings.search_cache_ttl_s, is_dropped=False
        )

    def listeners(self) -> dict[str, Component]:
        """Return the loops that follow other processes' drops, for a web process to run."""
        return {
            "product_cache": self.products.listen,
            "stock_cache": self.stock.listen,
            "category_cache": self.categories.listen,
        }

    async def batch_done(self, result: BatchResult) -> None:
        """Tell of a batch of reservations."""
        await self.stock_changed(result.changed)
        if result.crossed_products:
            await self.product_changed(*result.crossed_products)

    async def reservation_moved(self, moved: Moved) -> None:
        """Tell of a reservation that gave its stock back, if it did."""
        await self.stock_changed(moved.changed)
        if moved.restocked:
            await self.product_changed(*moved.restocked)

    async def stock_changed(self, variant_ids: Iterable[UUID]) -> None:
        keys = [str(variant_id) for variant_id in variant_ids]
        if keys:
            await self.stock.drop(*keys)

    async def product_changed(self, *product_ids: UUID, variants: Iterable[UUID] = ()) -> None:
        """Tell of products whose events wait in the outbox and whose pages are out of date.

        `variants` are those that may have come into the shop or left it: their stock is shown to
        everybody only while they are for sale.
        """
        await self.stock_changed(variants)
        await self.pages_changed(product_ids)
        await wake(self._redis, SERVICE)

    async def pages_changed(self, product_ids: Iterable[UUID]) -> None:
        """Tell of products whose pages alone are out of date; no event waits."""
        await self.products.drop(*(str(product_id) for product_id in product_ids))

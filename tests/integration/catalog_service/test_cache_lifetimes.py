"""How long a value may be shown that changed and was announced by nobody: the brief's lifetimes."""

from dataclasses import dataclass

import pytest

from common_lib.cache import TieredCache
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.search.searching import SearchShop, word
from tests.waiting import eventually

MINUTE_S = 60
# What may pass between the writing of a value and our looking at it.
SLACK_S = 10


@dataclass(frozen=True)
class Cached:
    """A cache, a path that is answered from it, and how old its answers may get."""

    name: str
    path: str
    lifetime_s: int

    def of(self, catalog: Catalog) -> TieredCache:
        cache: TieredCache = getattr(catalog.deps.announcements, self.name)
        return cache


CACHES = (
    Cached("products", "/api/products/{product}", 15 * MINUTE_S),
    Cached("categories", "/api/categories", 60 * MINUTE_S),
    Cached("stock", "/api/inventory/{variant}", 30),
    Cached("searches", "/api/products/search?q={word}", 5 * MINUTE_S),
)


@pytest.mark.parametrize("cached", CACHES, ids=lambda cached: cached.name)
async def test_a_value_lives_as_long_as_the_brief_says(catalog: Catalog, cached: Cached) -> None:
    variant, mark = await catalog.variant(5), word()
    product = await catalog.product_of(variant)
    await SearchShop(catalog).put(mark)  # that nothing is found is remembered for seconds only
    path = cached.path.format(product=product, variant=variant, word=mark)
    cache, redis = cached.of(catalog), catalog.deps.announcements._redis
    pattern = cache._redis_key("*")
    for known in [key async for key in redis.scan_iter(match=pattern)]:
        await redis.delete(known)

    async def left_in_redis_s() -> list[int]:
        cache._forget_all()  # else a value that Redis was too slow for stays here alone
        await catalog.client.get(path)
        return [await redis.ttl(key) async for key in redis.scan_iter(match=pattern)]

    # A value goes from Redis into a process at the end of its life at the latest.
    (left_s,) = await eventually(left_in_redis_s)
    oldest_s = left_s + cache._l1_ttl_s

    assert cached.lifetime_s - SLACK_S <= oldest_s <= cached.lifetime_s
    assert cache._l1_ttl_s <= 30

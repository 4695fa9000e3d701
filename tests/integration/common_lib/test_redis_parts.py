"""The lock and the cache on a real Redis, and without one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from redis.asyncio import Redis

from common_lib.cache import TieredCache, create_redis
from common_lib.locks import RedisLock
from tests.integration.common_lib.cutting import Proxy, proxy_before
from tests.waiting import eventually


async def test_a_lock_is_held_by_one(redis: Redis) -> None:
    first, second = RedisLock(redis, "lock:test:one"), RedisLock(redis, "lock:test:one")

    assert await first.acquire()
    assert not await second.acquire(wait_s=0.02)
    await first.release()
    assert await second.acquire()
    await second.release()


async def test_a_late_holder_does_not_free_anothers_lock(redis: Redis) -> None:
    late, present = RedisLock(redis, "lock:test:late"), RedisLock(redis, "lock:test:late")
    assert await late.acquire()
    await redis.delete("lock:test:late")
    assert await present.acquire()

    await late.release()

    assert await redis.exists("lock:test:late")
    await present.release()


async def test_a_waiting_holder_gets_the_lock_when_it_is_freed(redis: Redis) -> None:
    first, second = RedisLock(redis, "lock:test:wait"), RedisLock(redis, "lock:test:wait")
    assert await first.acquire()
    waiting = asyncio.create_task(second.acquire(wait_s=5))
    await first.release()

    assert await waiting
    await second.release()


async def test_without_redis_a_lock_is_not_had_and_nothing_is_raised() -> None:
    lock = RedisLock(create_redis("redis://127.0.0.1:9/0"), "lock:test:none")

    assert not await lock.acquire()
    await lock.release()


class Source:
    """What the cache is filled from; it counts how often it is asked."""

    def __init__(self, value: bytes | None = b"one") -> None:
        self.value = value
        self.asked = 0

    async def load(self) -> bytes | None:
        self.asked += 1
        return self.value


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


async def listening(cache: TieredCache, stop: asyncio.Event) -> asyncio.Task[None]:
    task = asyncio.create_task(cache.listen(stop))
    await eventually(lambda: cache._may_remember)
    return task


async def test_many_readers_of_one_key_load_it_once(redis: Redis, name: str) -> None:
    cache, source = TieredCache(redis, name, ttl_s=60), Source()

    values = await asyncio.gather(*(cache.get("k", source.load) for _ in range(50)))

    assert (set(values), source.asked) == ({b"one"}, 1)


async def test_a_second_process_finds_it_in_redis(redis: Redis, name: str) -> None:
    source = Source()
    await TieredCache(redis, name, ttl_s=60).get("k", source.load)

    assert await TieredCache(redis, name, ttl_s=60).get("k", source.load) == b"one"
    assert source.asked == 1


async def test_what_does_not_exist_is_remembered_too(redis: Redis, name: str) -> None:
    cache, source = TieredCache(redis, name, ttl_s=60), Source(None)

    assert [await cache.get("k", source.load) for _ in range(3)] == [None] * 3
    assert source.asked == 1


async def test_a_drop_in_one_process_reaches_the_other_within_a_second(
    redis: Redis, name: str
) -> None:
    stop, source = asyncio.Event(), Source()
    here, there = TieredCache(redis, name, ttl_s=60), TieredCache(redis, name, ttl_s=60)
    followers = [await listening(cache, stop) for cache in (here, there)]
    assert await there.get("k", source.load) == await here.get("k", source.load) == b"one"

    source.value = b"two"
    await here.drop("k")

    async def is_new() -> bool:
        return await there.get("k", source.load) == b"two"

    await eventually(is_new, timeout_s=1)
    stop.set()
    await asyncio.gather(*followers)


async def test_a_value_that_was_dropped_while_it_was_loaded_is_not_kept(
    redis: Redis, name: str
) -> None:
    cache, source, stop = TieredCache(redis, name, ttl_s=60), Source(), asyncio.Event()
    follower = await listening(cache, stop)
    is_loading, may_finish = asyncio.Event(), asyncio.Event()

    async def slow() -> bytes | None:
        value = await source.load()
        is_loading.set()
        await may_finish.wait()
        return value

    old = asyncio.create_task(cache.get("k", slow))
    await is_loading.wait()
    source.value = b"two"
    await cache.drop("k")
    may_finish.set()
    await old

    assert await cache.get("k", source.load) == b"two"
    stop.set()
    await follower


class SlowSource(Source):
    """A load that has read its value and does not return yet."""

    def __init__(self) -> None:
        super().__init__()
        self.has_read, self.may_return = asyncio.Event(), asyncio.Event()

    async def load(self) -> bytes | None:
        value = await super().load()
        self.has_read.set()
        await self.may_return.wait()
        return value

    async def begun(self, cache: TieredCache) -> asyncio.Task[bytes | None]:
        """Return the look-up of a cache that has read here and has not been told yet."""
        asked = asyncio.create_task(cache.get("k", self.load))
        await self.has_read.wait()
        return asked


async def test_a_load_that_began_before_a_drop_elsewhere_writes_nothing(
    redis: Redis, name: str
) -> None:
    """The loading process has not heard of the drop: it does not listen."""
    here, there = (TieredCache(redis, name, ttl_s=60) for _ in range(2))
    slow, fresh = SlowSource(), Source(b"two")
    old = await slow.begun(there)
    await here.drop("k")
    slow.may_return.set()

    assert await old == b"one"
    assert await there.get("k", fresh.load) == await here.get("k", fresh.load) == b"two"
    assert fresh.asked == 1


async def test_a_load_overtaken_by_a_drop_and_a_newer_load_writes_nothing(
    redis: Redis, name: str
) -> None:
    here, there = (TieredCache(redis, name, ttl_s=60) for _ in range(2))
    slow, fresh = SlowSource(), Source(b"two")
    old = await slow.begun(there)
    await here.drop("k")
    assert await here.get("k", fresh.load) == b"two"
    slow.may_return.set()
    await old

    assert await there.get("k", fresh.load) == b"two"


async def test_drops_of_other_keys_do_not_keep_a_value_from_being_remembered(
    redis: Redis, name: str
) -> None:
    cache, slow, stop = TieredCache(redis, name, ttl_s=60), SlowSource(), asyncio.Event()
    follower = await listening(cache, stop)
    loading = await slow.begun(cache)
    await cache.drop("other")
    slow.may_return.set()
    await loading

    assert cache.peek("k") == (True, b"one")
    stop.set()
    await follower


@asynccontextmanager
async def seen_through_a_proxy(redis: Redis) -> AsyncIterator[tuple[Redis, Proxy]]:
    address = redis.connection_pool.connection_kwargs
    async with proxy_before(address["host"], address["port"]) as proxy:
        far = create_redis(f"redis://127.0.0.1:{proxy.port}/0")
        yield far, proxy
        await far.aclose()


async def test_a_drop_that_redis_missed_is_made_good_when_it_is_back(
    redis: Redis, name: str
) -> None:
    async with seen_through_a_proxy(redis) as (far, proxy):
        cache, source = TieredCache(far, name, ttl_s=60), Source()
        await cache.get("k", source.load)
        proxy.is_mute, source.value = True, b"two"
        await cache.drop("k")
        proxy.drop_all()
        proxy.is_mute = False

        async def is_new() -> bool:
            return await TieredCache(redis, name, ttl_s=60).get("k", source.load) == b"two"

        await eventually(is_new, timeout_s=2)


async def test_a_channel_that_has_gone_silent_ends_the_use_of_old_values_within_a_second(
    redis: Redis, name: str
) -> None:
    async with seen_through_a_proxy(redis) as (far, proxy):
        cache, source, stop = TieredCache(far, name, ttl_s=60), Source(), asyncio.Event()
        follower = await listening(cache, stop)
        await cache.get("k", source.load)
        proxy.is_mute, source.value = True, b"two"

        await eventually(lambda: cache.peek("k") == (False, None), timeout_s=1)
        assert await cache.get("k", source.load) == b"two"
        stop.set()
        await follower


async def test_what_redis_holds_is_not_used_before_owed_drops_were_repeated(
    redis: Redis, name: str
) -> None:
    """The value there is from before an outage, in which somebody else may have dropped it."""
    async with seen_through_a_proxy(redis) as (far, proxy):
        cache, source, stop = TieredCache(far, name, ttl_s=60), Source(), asyncio.Event()
        await cache.get("k", source.load)
        follower = await listening(cache, stop)
        proxy.drop_all()
        await eventually(lambda: not cache._may_remember)
        source.value = b"two"

        await eventually(lambda: cache._may_remember)
        assert await cache.get("k", source.load) == b"two"
        stop.set()
        await follower


async def test_a_reader_does_not_join_a_load_that_has_run_for_long(
    redis: Redis, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, slow, fresh = TieredCache(redis, name, ttl_s=60), SlowSource(), Source(b"two")
    old = await slow.begun(cache)
    monkeypatch.setattr("common_lib.cache._JOINED_FOR_S", 0.0)

    assert await cache.get("k", fresh.load) == b"two"
    slow.may_return.set()
    assert await old == b"one"


async def test_a_cache_forgets_the_oldest_when_it_is_full(redis: Redis, name: str) -> None:
    cache = TieredCache(redis, name, ttl_s=60, max_bytes=3_000, is_dropped=False)
    source = Source(b"x" * 1_000)
    for key in "abc":
        await cache.get(key, source.load)

    assert [cache.peek(key)[0] for key in "abc"] == [False, True, True]


async def test_what_only_ages_needs_no_channel(redis: Redis, name: str) -> None:
    cache, source = TieredCache(redis, name, ttl_s=60, is_dropped=False), Source()
    await cache.get("k", source.load)

    assert cache.at_hand("k") == b"one"


async def test_many_drops_at_once_all_arrive(redis: Redis, name: str) -> None:
    here, there = (TieredCache(redis, name, ttl_s=60) for _ in range(2))
    source, keys = Source(), [f"k{n}" for n in range(1_201)]
    await there.get(keys[-1], source.load)
    source.value = b"two"

    await here.drop(*keys)

    assert await there.get(keys[-1], source.load) == b"two"


async def test_readers_in_two_processes_are_never_behind_a_write_for_a_second(
    redis: Redis, name: str
) -> None:
    """Three processes read all the time, one of them writes: nobody stays behind."""
    stop, source = asyncio.Event(), Source(b"0")
    caches = [TieredCache(redis, name, ttl_s=60) for _ in range(3)]
    followers = [await listening(cache, stop) for cache in caches]
    delays: list[float] = []

    async def load() -> bytes | None:
        value = await source.load()
        await redis.ping()  # a reader may be overtaken here
        return value

    async def all_see(value: bytes) -> bool:
        return {await cache.get("k", load) for cache in caches} == {value}

    for number in range(1, 150):
        readers = [asyncio.create_task(cache.get("k", load)) for cache in caches]
        source.value = b"%d" % number
        written_at = time.monotonic()
        await caches[number % 3].drop("k")
        await eventually(partial(all_see, source.value), timeout_s=1)
        delays.append(time.monotonic() - written_at)
        await asyncio.gather(*readers)

    assert max(delays) < 1
    stop.set()
    await asyncio.gather(*followers)


async def test_without_redis_the_source_answers(name: str) -> None:
    cache, source = TieredCache(create_redis("redis://127.0.0.1:9/0"), name, ttl_s=60), Source()

    assert await cache.get("k", source.load) == b"one"
    await cache.drop("k")

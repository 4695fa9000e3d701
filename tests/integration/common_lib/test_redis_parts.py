"""The lock and the cache on a real Redis, and without one."""

import asyncio

import pytest
from redis.asyncio import Redis

from common_lib.cache import TieredCache, create_redis
from common_lib.locks import RedisLock
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
    await eventually(lambda: cache._is_listening)
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


async def test_without_redis_the_source_answers(name: str) -> None:
    cache, source = TieredCache(create_redis("redis://127.0.0.1:9/0"), name, ttl_s=60), Source()

    assert await cache.get("k", source.load) == b"one"
    await cache.drop("k")

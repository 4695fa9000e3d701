"""Redis as a cache: always a copy, never the truth, and the shop works without it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, cast

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

Loader = Callable[[], Awaitable[bytes | None]]

REDIS_FAILURES: Final = (RedisError, OSError, TimeoutError)
NEGATIVE_TTL_S: Final = 5.0
_ABSENT: Final = b"\x00absent"
_RECONNECT_PAUSE_S: Final = 0.5

CACHE_READS = Counter("cache_reads_total", "Cache look-ups", ["cache", "level"])


def create_redis(url: str, *, timeout_s: float = 0.1, max_connections: int = 256) -> Redis:
    """Return a client that gives up after `timeout_s` and never repeats a command.

    redis-py's default of ten retries runs a DECRBY eleven times when answers are lost.
    """
    client: Redis = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return client


class TieredCache:
    """Bytes by key: in this process (L1), then in Redis (L2), then from the loader.

    One loader runs per key and process at a time. An absent value is remembered for five seconds.
    `drop` empties both levels and tells all processes, which listen on a channel; entries live in
    L1 for at most `l1_ttl_s`, so that a lost message ages out.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        ttl_s: int,
        max_entries: int = 10_000,
        l1_ttl_s: float = 30,
    ) -> None:
        self._redis = redis
        self._name = name
        self._ttl_s = ttl_s
        self._l1_ttl_s = min(l1_ttl_s, ttl_s)
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._loading: dict[str, asyncio.Future[bytes | None]] = {}
        self._generation = 0
        self._is_listening = False
        self._l1 = CACHE_READS.labels(name, "l1")
        self._l2 = CACHE_READS.labels(name, "l2")
        self._miss = CACHE_READS.labels(name, "miss")

    def peek(self, key: str) -> tuple[bool, bytes | None]:
        """Look into this process only: (found, value)."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return False, None
        self._l1.inc()
        return True, entry[1]

    async def get(self, key: str, load: Loader) -> bytes | None:
        """Return the value, loaded where neither level has it; the loader's errors pass on."""
        found, value = self.peek(key)
        if found:
            return value
        running = self._loading.get(key)
        if running is not None:
            return await asyncio.shield(running)
        task = asyncio.ensure_future(self._fill(key, load))
        self._loading[key] = task
        task.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(task)

    async def drop(self, *keys: str) -> None:
        """Forget the keys here at once and everywhere within a second."""
        self._forget(keys)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(*(self._redis_key(key) for key in keys))
                pipeline.publish(self._channel, "\n".join(keys))
                await pipeline.execute()
        except REDIS_FAILURES:
            log.warning("cache.drop_not_announced", cache=self._name)

    async def listen(self, stop: asyncio.Event) -> None:
        """Follow the other processes' drops until stopped; run it as a task of the process.

        While Redis is away nothing can be announced, so L1 is emptied and not used.
        """
        while not stop.is_set():
            try:
                await self._follow(stop)
            except REDIS_FAILURES:
                self._is_listening = False
                self._forget_all()
                await asyncio.sleep(_RECONNECT_PAUSE_S)

    async def _follow(self, stop: asyncio.Event) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            self._forget_all()
            self._is_listening = True
            while not stop.is_set():
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is not None:
                    self._forget(message["data"].decode().split("\n"))

    async def _fill(self, key: str, load: Loader) -> bytes | None:
        generation = self._generation
        cached = await self._from_redis(key)
        if cached is not None:
            self._l2.inc()
            value = None if cached == _ABSENT else cached
        else:
            self._miss.inc()
            value = await load()
            # A drop during the load means the value may already be old: hand it out, keep it not.
            if generation == self._generation:
                await self._to_redis(key, value)
        if generation == self._generation:
            self._remember(key, value)
        return value

    def _remember(self, key: str, value: bytes | None) -> None:
        if not self._is_listening:
            return
        ttl_s = self._l1_ttl_s if value is not None else min(NEGATIVE_TTL_S, self._l1_ttl_s)
        self._entries[key] = (time.monotonic() + ttl_s, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def _forget(self, keys: tuple[str, ...] | list[str]) -> None:
        self._generation += 1
        for key in keys:
            self._entries.pop(key, None)
            self._loading.pop(key, None)

    def _forget_all(self) -> None:
        self._generation += 1
        self._entries.clear()

    async def _from_redis(self, key: str) -> bytes | None:
        try:
            value = cast("bytes | None", await self._redis.get(self._redis_key(key)))
        except REDIS_FAILURES:
            return None
        return value

    async def _to_redis(self, key: str, value: bytes | None) -> None:
        ttl_ms = int((self._ttl_s if value is not None else NEGATIVE_TTL_S) * 1000)
        stored = _ABSENT if value is None else value
        try:
            await self._redis.set(self._redis_key(key), stored, px=ttl_ms)
        except REDIS_FAILURES:
            return

    def _redis_key(self, key: str) -> str:
        return f"cache:{self._name}:{key}"

    @property
    def _channel(self) -> str:
        return f"cache-drop:{self._name}"

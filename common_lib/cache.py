"""Redis as a cache: always a copy, never the truth, and the shop works without it."""

import asyncio
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Final, cast

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from common_lib.sockets import has_news

log = structlog.get_logger(__name__)

Loader = Callable[[], Awaitable[bytes | None]]

REDIS_FAILURES: Final = (RedisError, OSError, TimeoutError)
NEGATIVE_TTL_S: Final = 5.0
_L1_TTL_S: Final = 30.0
_ABSENT: Final = b"\x00absent"
_TOMBSTONE: Final = b"\x00dropped:"
# Longer than any load that may still write: see _longest_load_s.
_TOMBSTONE_MS: Final = 60_000
_RECONNECT_PAUSE_S: Final = 0.3
# After an outage others may still owe drops, which they repeat every 0.3 s.
_SETTLING_S: Final = 1.0
# A reader that joins an older load could be shown what was changed before it began.
_JOINED_FOR_S: Final = 0.5
_KEYS_AT_ONCE: Final = 500
# What an entry takes besides its value, roughly.
_ENTRY_BYTES: Final = 300
# A dead channel is noticed after two silences: one, a ping, and one more.
_SILENCE_S: Final = 0.2
_REPLACE: Final = """
if (redis.call('get', KEYS[1]) or '') == ARGV[1] then
  redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3])
end
"""

CACHE_READS = Counter("cache_reads_total", "Cache look-ups", ["cache", "level"])


class WatchedConnection(Connection):
    """A connection whose end at rest is noticed before the next command is sent over it."""

    async def can_read(self) -> bool:
        """Say whether there is something unasked, such as the end; the pool then connects anew."""
        writer = self._writer
        if writer is not None and (writer.transport.is_closing() or has_news(writer.transport)):
            return True
        return bool(await super().can_read())


def create_redis(url: str, *, timeout_s: float = 0.1, max_connections: int = 256) -> Redis:
    """Return a client that gives up after `timeout_s` and never repeats a command.

    redis-py's default of ten retries runs a DECRBY eleven times when answers are lost. Its notices
    of maintenance, on by default since 8.0, let its pool take dead connections for sound ones.
    """
    client: Redis = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    pool = client.connection_pool
    if pool.connection_class is Connection:  # with TLS a ticket may lie unread: that is no end
        pool.connection_class = WatchedConnection
    return client


class TieredCache:
    """Bytes by key: in this process (L1), then in Redis (L2), then from the loader.

    One loader runs per key and process at a time. An absent value is remembered for five seconds,
    any other for `ttl_s` at most, both levels together; L1 holds about `max_bytes`.

    `drop` empties both levels in all processes within a second. A load that began before a drop
    leaves nothing behind: in Redis the drop writes a tombstone of its own, and a loaded value
    replaces only what its loader had found there (the leases of "Scaling Memcache at Facebook",
    section 3.2.1). L1 is used only while the channel that announces drops is known to be alive,
    and Redis not before a second has passed since it came back: drops are repeated until then.
    Loaders must see what was committed before them, so they do not read from replicas.

    A cache that is never dropped from, only aged, is made with `is_dropped=False`: it uses L1
    without a channel.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        ttl_s: int,
        max_bytes: int = 8_000_000,
        is_dropped: bool = True,
    ) -> None:
        self._redis = redis
        self._name = name
        self._ttl_s = ttl_s
        self._l1_ttl_s = min(_L1_TTL_S, ttl_s / 2)
        self._longest_load_s = min(ttl_s, NEGATIVE_TTL_S)
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._loading: dict[str, tuple[float, asyncio.Task[bytes | None]]] = {}
        self._may_remember = not is_dropped
        self._trusted_from = 0.0
        self._owed: set[str] = set()
        self._owed_until = 0.0
        self._repeating: asyncio.Task[None] | None = None
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

    def at_hand(self, key: str) -> bytes | None:
        """Return the value if this process has it; only then it is a read that counts."""
        entry = self._entries.get(key)
        if entry is None or entry[1] is None or entry[0] < time.monotonic():
            return None
        self._l1.inc()
        return entry[1]

    async def get(self, key: str, load: Loader) -> bytes | None:
        """Return the value, loaded where neither level has it; the loader's errors pass on."""
        found, value = self.peek(key)
        if found:
            return value
        now = time.monotonic()
        since, task = self._loading.get(key, (0.0, None))
        if task is None or now - since > _JOINED_FOR_S:
            task = asyncio.create_task(self._fill(key, load))
            self._loading[key] = (now, task)
            task.add_done_callback(partial(self._loaded, key))
        return await asyncio.shield(task)

    async def drop(self, *keys: str) -> None:
        """Forget the keys here at once and everywhere within a second; never raises.

        With Redis away the announcement is repeated for as long as an entry there could live.
        """
        self._forget(keys)
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            if not await self._announce(some):
                self._owe(some)

    def _owe(self, keys: Iterable[str]) -> None:
        log.warning("cache.drop_not_announced", cache=self._name)
        self._owed.update(keys)
        self._owed_until = time.monotonic() + self._ttl_s
        if self._repeating is None or self._repeating.done():
            self._repeating = asyncio.create_task(self._repeat_drops())

    async def listen(self, stop: asyncio.Event) -> None:
        """Follow the other processes' drops until stopped; run it as a task of the process."""
        while not stop.is_set():
            try:
                await self._follow(stop)
            except REDIS_FAILURES:
                self._trusted_from = math.inf
                await asyncio.sleep(_RECONNECT_PAUSE_S)

    async def _follow(self, stop: asyncio.Event) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            if await channel.get_message(timeout=_SILENCE_S) is None:
                raise ConnectionError("the subscription is not confirmed")
            self._begin_to_remember()
            try:
                await self._obey(channel, stop)
            finally:
                self._may_remember = False
                self._forget_all()

    def _begin_to_remember(self) -> None:
        self._forget_all()
        self._may_remember = True
        if self._trusted_from == math.inf:
            self._trusted_from = time.monotonic() + _SETTLING_S

    async def _obey(self, channel: PubSub, stop: asyncio.Event) -> None:
        """Forget what is announced. Raises ConnectionError when even a ping is not answered."""
        is_pinged = False
        while not stop.is_set():
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=_SILENCE_S)
            if message is not None and message["type"] == "message":
                self._forget(message["data"].decode().split("\n"))
            if message is None and is_pinged:
                raise ConnectionError("the channel is dead")
            is_pinged = message is None
            if is_pinged:
                await channel.ping()

    async def _fill(self, key: str, load: Loader) -> bytes | None:
        found_at = time.monotonic()
        found = await self._from_redis(key)
        if found and not found.startswith(_TOMBSTONE):
            self._l2.inc()
            value = None if found == _ABSENT else found
        else:
            self._miss.inc()
            value = await load()
            is_recent = time.monotonic() - found_at < self._longest_load_s
            if found is not None and is_recent and self._is_wanted(key):
                await self._to_redis(key, found, value)
        if self._is_wanted(key):
            self._remember(key, value)
        return value

    def _is_wanted(self, key: str) -> bool:
        """Tell whether the running load is still the one for its key: a drop takes it off."""
        return self._loading.get(key, (0.0, None))[1] is asyncio.current_task()

    def _loaded(self, key: str, task: asyncio.Task[bytes | None]) -> None:
        if self._loading.get(key, (0.0, None))[1] is task:
            del self._loading[key]
        if not task.cancelled():
            task.exception()  # those who waited have it; nobody may be left to

    def _remember(self, key: str, value: bytes | None) -> None:
        if not (self._may_remember and self._is_trusted()):
            return
        ttl_s = self._l1_ttl_s if value is not None else min(NEGATIVE_TTL_S, self._l1_ttl_s)
        self._forget_entry(key)
        self._entries[key] = (time.monotonic() + ttl_s, value)
        self._bytes += _size(value)
        while self._bytes > self._max_bytes:
            self._forget_entry(next(iter(self._entries)))

    def _is_trusted(self) -> bool:
        """Tell whether Redis holds nothing that somebody could not drop while it was away."""
        return time.monotonic() >= self._trusted_from

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._forget_entry(key)
            self._loading.pop(key, None)

    def _forget_entry(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(entry[1])

    def _forget_all(self) -> None:
        self._entries.clear()
        self._bytes = 0
        self._loading.clear()

    async def _announce(self, keys: Sequence[str]) -> bool:
        tombstone = _TOMBSTONE + secrets.token_bytes(8)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(self._redis_key(key), tombstone, px=_TOMBSTONE_MS)
                pipeline.publish(self._channel, "\n".join(keys))
                await pipeline.execute()
        except REDIS_FAILURES:
            return False
        return True

    async def _repeat_drops(self) -> None:
        while self._owed and time.monotonic() < self._owed_until:
            await asyncio.sleep(_RECONNECT_PAUSE_S)
            while keys := list(islice(self._owed, _KEYS_AT_ONCE)):
                self._owed.difference_update(keys)
                if not await self._announce(keys):
                    self._owed.update(keys)
                    break

    async def _from_redis(self, key: str) -> bytes | None:
        """Return what Redis holds, empty for nothing; None if Redis is away or was just now."""
        if not self._is_trusted():
            return None
        try:
            value = cast("bytes | None", await self._redis.get(self._redis_key(key)))
        except REDIS_FAILURES:
            return None
        return value or b""

    async def _to_redis(self, key: str, found: bytes, value: bytes | None) -> None:
        """Write the value if the key still holds what was found before it was loaded."""
        ttl_s = self._ttl_s - self._l1_ttl_s if value is not None else NEGATIVE_TTL_S
        stored = _ABSENT if value is None else value
        try:
            await self._redis.eval(
                _REPLACE, 1, self._redis_key(key), found, stored, int(ttl_s * 1000)
            )
        except REDIS_FAILURES:
            return

    def _redis_key(self, key: str) -> str:
        return f"cache2:{self._name}:{key}"

    @property
    def _channel(self) -> str:
        return f"cache-drop:{self._name}"


def _size(value: bytes | None) -> int:
    return _ENTRY_BYTES + len(value or b"")

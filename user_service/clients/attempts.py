"""The counters in Redis that slow guessing down."""

import time
from typing import Final

import structlog
from redis.asyncio import Redis

from common_lib.cache import REDIS_FAILURES
from common_lib.ids import new_id

log = structlog.get_logger(__name__)

# A sorted set of moments: exactly `limit` entries fit into any window, however many come at once.
_TAKE: Final = """
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1] - ARGV[2])
if redis.call('zcard', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('zadd', KEYS[1], ARGV[1], ARGV[4])
  redis.call('pexpire', KEYS[1], ARGV[2])
  return 0
end
local oldest = redis.call('zrange', KEYS[1], 0, 0, 'withscores')
return math.max(1, math.ceil(oldest[2] + ARGV[2] - ARGV[1]))
"""


class AttemptLimiter:
    """Admits `limit` attempts per key in any `window_s` seconds.

    While Redis is away everybody is admitted: the counters guard against guessing, and bcrypt
    alone still makes guessing slow.
    """

    def __init__(self, redis: Redis, name: str, *, limit: int, window_s: int) -> None:
        self._redis = redis
        self._name = name
        self._limit = limit
        self._window_ms = window_s * 1000

    async def take(self, key: str) -> float:
        """Use one attempt up; return 0, or the seconds to wait if none is left."""
        now_ms = time.time_ns() // 1_000_000
        try:
            wait_ms = await self._redis.eval(
                _TAKE, 1, self._key(key), now_ms, self._window_ms, self._limit, str(new_id())
            )
        except REDIS_FAILURES:
            log.warning("limiter.unavailable", limiter=self._name)
            return 0.0
        return int(wait_ms) / 1000

    async def count(self, key: str) -> int:
        """Return how many attempts were used up lately; takes as long as using one up."""
        try:
            return int(await self._redis.zcard(self._key(key)))
        except REDIS_FAILURES:
            log.warning("limiter.unavailable", limiter=self._name)
            return 0

    async def forget(self, key: str) -> None:
        """Give all attempts back, as after a success."""
        try:
            await self._redis.delete(self._key(key))
        except REDIS_FAILURES:
            log.warning("limiter.unavailable", limiter=self._name)

    def _key(self, key: str) -> str:
        return f"attempts:{self._name}:{key}"

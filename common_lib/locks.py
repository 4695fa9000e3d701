"""A Redis lock that spares contention. It is never the only guard: the database is."""

import asyncio
import secrets
import time
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

# Deletes the key only if it still holds our token: a late holder must not free another's lock.
_RELEASE: Final = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.016


class RedisLock:
    """`SET key token NX PX ttl`, released by token (https://redis.io/docs/latest/develop/use/patterns/distributed-locks/)."""

    def __init__(self, redis: Redis, key: str, *, ttl_ms: int = 3000) -> None:
        self._redis = redis
        self._key = key
        self._ttl_ms = ttl_ms
        self._token: bytes | None = None

    async def acquire(self, *, wait_s: float = 0.05) -> bool:
        """Try for `wait_s` seconds. False when it is held by another or Redis is away."""
        token = secrets.token_bytes(16)
        deadline = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        try:
            while not await self._redis.set(self._key, token, nx=True, px=self._ttl_ms):
                if time.monotonic() + pause_s > deadline:
                    return False
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except (RedisError, OSError, TimeoutError):
            return False
        self._token = token
        return True

    async def release(self) -> None:
        """Free the lock if it is still ours; never raises, the time-out frees it otherwise."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            await self._redis.eval(_RELEASE, 1, self._key, token)
        except (RedisError, OSError, TimeoutError):
            return

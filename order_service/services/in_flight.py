"""A mark in Redis that a request is being worked on. Advisory: a unique key decides."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import uuid4

from redis.asyncio import Redis

from common_lib.cache import REDIS_FAILURES
from common_lib.idempotency import RequestInFlight


class InFlight:
    """Gives a second request with the same key a quick 409; skipped while Redis is away.

    `instance` is what this process keeps over a restart, its address. A mark left by an earlier
    life of the same instance stands for nobody: its request died with it, and the client's retry
    need not wait for the mark to run out.
    """

    def __init__(self, redis: Redis, *, ttl_ms: int, instance: str) -> None:
        self._redis = redis
        self._ttl_ms = ttl_ms
        self._prefix = f"{instance}|".encode()
        self._own = self._prefix + uuid4().hex.encode()

    @asynccontextmanager
    async def only(self, name: str) -> AsyncIterator[None]:
        """Hold the mark for the block. Raises RequestInFlight when another request holds it."""
        key = f"in-flight:{name}"
        if not await self._enter(key):
            raise RequestInFlight(retry_after_s=1)
        try:
            yield
        finally:
            await self._leave(key)

    async def _enter(self, key: str) -> bool:
        try:
            if await self._redis.set(key, self._own, nx=True, px=self._ttl_ms):
                return True
            holder = cast("bytes | None", await self._redis.get(key))
            if holder is None or self._is_alive(holder):
                return False
            await self._redis.set(key, self._own, px=self._ttl_ms)
        except REDIS_FAILURES:
            return True
        return True

    def _is_alive(self, holder: bytes) -> bool:
        return holder == self._own or not holder.startswith(self._prefix)

    async def _leave(self, key: str) -> None:
        try:
            await self._redis.delete(key)
        except REDIS_FAILURES:
            return

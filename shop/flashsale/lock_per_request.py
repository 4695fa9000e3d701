"""The brief's design for a hot item, as the baseline.

A Redis lock around each buyer's own SELECT, UPDATE and COMMIT; who finds it held tries again.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis

TTL_MS: Final = 3000
RETRY_PAUSE_S: Final = 0.005
_RELEASE: Final = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
# The table is `inventory` or a copy of it, never a name from outside.
_SELECT: Final = "SELECT quantity - reserved FROM {table} WHERE variant_id = %s"
_UPDATE: Final = "UPDATE {table} SET reserved = reserved + 1 WHERE variant_id = %s"

Connect = Callable[[], AbstractAsyncContextManager[Any]]


class LockPerRequest:
    """Takes one unit at a time. It writes no reservation row, which only flatters it."""

    def __init__(
        self, redis: Redis, connect: Connect, variant_id: UUID, *, table: str = "inventory"
    ) -> None:
        self._redis = redis
        self._connect = connect
        self._variant = variant_id.bytes
        self._key = f"bench:lock:{table}:{variant_id}"
        self._select, self._update = _SELECT.format(table=table), _UPDATE.format(table=table)

    async def take_one(self) -> bool:
        """Return whether there was a unit left; durable when it returns."""
        token = secrets.token_bytes(16)
        while not await self._has_locked(token):  # noqa: ASYNC110 - the design polls
            await asyncio.sleep(RETRY_PAUSE_S)
        try:
            return await self._select_and_update()
        finally:
            await self._redis.eval(_RELEASE, 1, self._key, token)

    async def _has_locked(self, token: bytes) -> bool:
        return bool(await self._redis.set(self._key, token, nx=True, px=TTL_MS))

    async def _select_and_update(self) -> bool:
        async with self._connect() as connection, connection.cursor() as cursor:
            await cursor.execute(self._select, (self._variant,))
            (available,) = await cursor.fetchone()
            if available > 0:
                await cursor.execute(self._update, (self._variant,))
            await connection.commit()
            return bool(available > 0)

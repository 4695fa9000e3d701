"""Loads that wait at the same moment are made as one.

A lone load is made at once. While `at_once` are under way the others gather, and then go together:
the fuller the house, the less each costs. What a load returns was read after it was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class JoinedLoads(Generic[K, V]):
    """`load_many` returns a value for each key that it finds, of at most `most` keys."""

    def __init__(
        self,
        load_many: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        most: int = 100,
        at_once: int = 2,
    ) -> None:
        self._load_many = load_many
        self._most = most
        self._at_once = at_once
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._leading = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps none alive

    async def get(self, key: K) -> V | None:
        """Return the key's value, None where there is none; what the load raises passes on."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._leading < self._at_once:
            self._leading += 1
            leader = asyncio.create_task(self._lead())
            self._tasks.add(leader)
            leader.add_done_callback(self._tasks.discard)
        return await asyncio.shield(future)

    async def _lead(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                batch = {key: self._waiting.pop(key) for key in keys}
                await self._answer(batch)
        finally:
            # At once, not when the task's end is told: who asks in between would have no leader.
            self._leading -= 1

    async def _answer(self, batch: Mapping[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._load_many(list(batch))
        except BaseException as error:
            for future in batch.values():
                future.set_exception(error)
                future.exception()  # whoever waited has it; nobody may be left to
            if not isinstance(error, Exception):
                raise
        else:
            for key, future in batch.items():
                future.set_result(found.get(key))

"""Attempts at orders that ended after stock was held and before an order was written.

Their client is told to try again. For a moment it may, with the same key, and then finds what it
held; after that the attempt is decided and its stock given back, long before the catalog's sweeper
would ask. All of it is only sooner: a process that dies here leaves it to the sweeper.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from common_lib.errors import DomainError

log = structlog.get_logger(__name__)

Settle = Callable[[UUID, str], Awaitable[None]]

_PAUSE_S: Final = 2.0
_ATTEMPTS: Final = 20


class Unfinished:
    """Calls `settle` for each attempt once its grace is over, again where it fails.

    The grace is longer than a client takes that follows Retry-After.
    """

    def __init__(self, settle: Settle, *, grace_s: float) -> None:
        self._settle = settle
        self._grace_s = grace_s
        self._tasks: dict[tuple[UUID, str], asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def forget(self, user_id: UUID, key: str) -> None:
        """Leave an attempt alone that is made again: what it holds is needed."""
        if (task := self._tasks.pop((user_id, key), None)) is not None:
            task.cancel()

    def note(self, user_id: UUID, key: str) -> None:
        """Let go of what this attempt holds, soon, unless it is made again."""
        self.forget(user_id, key)
        # Not in the request's context: its deadline is over.
        task = asyncio.get_running_loop().create_task(
            self._let_go(user_id, key), context=contextvars.Context()
        )
        self._tasks[user_id, key] = task
        task.add_done_callback(lambda ended: self._drop(user_id, key, ended))

    async def close(self) -> None:
        """Leave what is not settled yet to the sweeper."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, user_id: UUID, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get((user_id, key)) is task:
            del self._tasks[user_id, key]

    async def _let_go(self, user_id: UUID, key: str) -> None:
        await asyncio.sleep(self._grace_s)
        for _ in range(_ATTEMPTS):
            try:
                await self._settle(user_id, key)
            except DomainError as error:
                log.warning("order.not_settled_yet", code=error.code)
            else:
                return
            await asyncio.sleep(_PAUSE_S)

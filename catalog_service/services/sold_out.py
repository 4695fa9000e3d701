"""Remembering for a moment what has nothing left, without refusing those who hold some of it.

A marker spares the counters' locks while thousands hear "sold out". It must not answer who asks
again: the first reply may be lost, of this process or of one that died, and the units may be
theirs. So whoever a marker would refuse is looked up by primary key first, all who come at once in
one read.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final
from uuid import UUID

from catalog_service.models.reservations import ReserveCommand, Shortage

# Which of the reservations exist, or might be about to.
FindKnown = Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]

_AT_ONCE: Final = 128


class SoldOut:
    """The sold-out markers of one process."""

    def __init__(self, find_known: FindKnown, ttl_s: float) -> None:
        self._find_known = find_known
        self._ttl_s = ttl_s
        self._until: dict[UUID, float] = {}
        self._asking: deque[tuple[UUID, asyncio.Future[bool]]] = deque()
        self._reader: asyncio.Task[None] | None = None

    def mark(self, variant_ids: Iterable[UUID]) -> None:
        at = time.monotonic()
        until = {variant: end for variant, end in self._until.items() if end > at}
        self._until = until | dict.fromkeys(variant_ids, at + self._ttl_s)

    def forget(self, variant_ids: Iterable[UUID]) -> None:
        for variant_id in variant_ids:
            self._until.pop(variant_id, None)

    async def shortages(self, command: ReserveCommand) -> list[Shortage]:
        """Return the lines that a marker refuses; none for a reservation that may exist."""
        if not self._until:
            return []
        at = time.monotonic()
        short = [
            Shortage(line.variant_id, line.quantity, 0)
            for line in command.lines
            if self._until.get(line.variant_id, 0.0) > at
        ]
        return short if short and not await self._is_known(command.reservation_id) else []

    async def close(self) -> None:
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _is_known(self, reservation_id: UUID) -> bool:
        answer: asyncio.Future[bool] = asyncio.Future()
        self._asking.append((reservation_id, answer))
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        """Read for whoever has come by now, until nobody waits; while it reads, others gather."""
        while self._asking:
            asking = [self._asking.popleft() for _ in range(min(len(self._asking), _AT_ONCE))]
            try:
                known = await self._find_known({reservation_id for reservation_id, _ in asking})
            except Exception as error:  # noqa: BLE001 - whatever failed, each of them has to learn of it
                _fail((answer for _, answer in asking), error)
                continue
            for reservation_id, answer in asking:
                if not answer.done():
                    answer.set_result(reservation_id in known)


def _fail(answers: Iterable["asyncio.Future[bool]"], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)

"""Joining those who wait for the same item into one transaction.

A Redis lock around SELECT, UPDATE, COMMIT for each buyer was measured at 100 to 200 reservations a
second on one item; one transaction for all who wait, at 17,000. So each variant has at most one
leader in this process: it takes the lock, then whoever is waiting by then, and while its
transaction runs the next batch gathers. Nobody is made to wait for company.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from catalog_service.models.reservations import (
    HeldStock,
    InsufficientStock,
    Outcome,
    ReserveCommand,
)
from catalog_service.services.sold_out import FindKnown, SoldOut
from common_lib.awaited import NobodyWaits, Wait, current_wait
from common_lib.errors import DomainError, Unavailable

log = structlog.get_logger(__name__)

BATCHES: Final = Histogram(
    "reservation_batch_size",
    "Requests joined into one transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
RESERVATIONS: Final = Counter("reservations_total", "Reservations by outcome", ["outcome"])
_GRANTED = RESERVATIONS.labels("granted")
_REFUSED = RESERVATIONS.labels("refused")
_SOLD_OUT = RESERVATIONS.labels("sold_out_marker")

# Caches are told of changed stock at most so often.
_TELL_EVERY_S: Final = 0.02
# How long a process keeps an item's lock while buyers keep coming.
_LEASE_S: Final = 0.02


class Lock(Protocol):
    async def acquire(self, *, wait_s: float) -> bool: ...

    async def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a batch took for its parts, in milliseconds; None: the lock was not had."""

    lock_ms: float | None = None
    confirm_ms: float = 0.0
    reserve_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One outcome per command, in their order, and what the transaction left behind."""

    outcomes: Sequence[Outcome]
    sold_out: frozenset[UUID] = frozenset()
    changed: frozenset[UUID] = frozenset()
    crossed_products: frozenset[UUID] = frozenset()
    confirm_ms: float = 0.0
    reserve_ms: float = 0.0


_NOTHING: Final = BatchResult(outcomes=())

Run = Callable[[Sequence[ReserveCommand]], Awaitable[BatchResult]]
Afterwards = Callable[[BatchResult], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    batch_size: int = 128
    # No more than the pool keeps open: beyond it connections are made and thrown away per batch,
    # and who waits for a turn gathers company.
    transactions: int = 16
    lock_wait_s: float = 0.05
    sold_out_ttl_s: float = 0.2


@dataclass(frozen=True, slots=True)
class _Waiter:
    command: ReserveCommand
    answer: "asyncio.Future[tuple[HeldStock, Timings]]"
    wait: Wait

    def is_wanted(self) -> bool:
        """Tell whether to begin; who no longer waits is told that nothing was."""
        if not self.answer.done() and self.wait.is_over():
            self.answer.set_exception(NobodyWaits())
        return not self.answer.done()


class _Lease:
    """The item's lock, kept from batch to batch for a moment, then offered to other processes.

    Without it we go on: the lock spares contention between processes, no more. Who was once left
    without waits no more for it while buyers keep coming: the row's own lock lets both take turns.
    """

    def __init__(self, lock: Lock, wait_s: float) -> None:
        self._lock = lock
        self._wait_s = wait_s
        self._until = 0.0
        self._waited_ms: float | None = None

    async def take(self) -> None:
        started = time.perf_counter()
        has_lock = await self._lock.acquire(wait_s=self._wait_s)
        if not has_lock:
            self._wait_s = 0.0
        self._waited_ms = (time.perf_counter() - started) * 1000 if has_lock else None
        self._until = time.monotonic() + _LEASE_S

    def is_over(self) -> bool:
        return time.monotonic() > self._until

    async def give_back(self) -> None:
        await self._lock.release()

    def waited_ms(self) -> float | None:
        """Return what the lock cost, to the first batch that asks; None without the lock."""
        waited_ms = self._waited_ms
        if waited_ms:
            self._waited_ms = 0.0
        return waited_ms


class ReservationBatcher:
    """One per process. `run` is the transaction, `new_lock` the lock of a variant.

    `find_known` tells which reservations exist already: no sold-out marker refuses them.
    """

    def __init__(
        self,
        run: Run,
        new_lock: Callable[[UUID], Lock],
        find_known: FindKnown,
        *,
        limits: Limits = Limits(),
        afterwards: Afterwards | None = None,
    ) -> None:
        self._run = run
        self._new_lock = new_lock
        self._limits = limits
        self._afterwards = afterwards
        self._turns = asyncio.Semaphore(limits.transactions)
        self._queues: dict[UUID, deque[_Waiter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._untold = _NOTHING
        self._is_telling = False
        self._sold_out = SoldOut(find_known, limits.sold_out_ttl_s)

    async def reserve(self, command: ReserveCommand) -> tuple[HeldStock, Timings]:
        """Return the reservation once it is durable, with the batch's timings.

        Safe to repeat. Raises InsufficientStock, UnknownVariant, ReservationKeyReused,
        ReservationReleased, or Unavailable.
        """
        short = await self._sold_out.shortages(command)
        if short:
            _SOLD_OUT.inc()
            raise InsufficientStock(short)
        answer: asyncio.Future[tuple[HeldStock, Timings]] = asyncio.Future()
        queue = self._queues.get(command.queue_key)
        if queue is None:
            queue = self._queues[command.queue_key] = deque()
            self._start_leader(command.queue_key, queue)
        queue.append(_Waiter(command, answer, current_wait()))
        return await answer

    def waiting(self, variant_id: UUID) -> int:
        """Return how many wait for the next transaction of this item."""
        return len(self._queues.get(variant_id, ()))

    def forget_sold_out(self, variant_ids: Iterable[UUID]) -> None:
        """Stock has come back: ask the database again."""
        self._sold_out.forget(variant_ids)

    async def close(self) -> None:
        """Wait for the transactions under way, and until they have been told of."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sold_out.close()

    def _start_leader(self, variant_id: UUID, queue: deque[_Waiter]) -> None:
        # A task of its own: a caller that goes away must not take the batch with it.
        self._run_aside(self._lead(variant_id, queue))

    def _run_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("batcher.task_failed", exc_info=error)

    async def _lead(self, variant_id: UUID, queue: deque[_Waiter]) -> None:
        lease = _Lease(self._new_lock(variant_id), self._limits.lock_wait_s)
        try:
            while queue:
                async with self._turns:
                    await lease.take()
                    await self._all_batches(queue, lease)
                    await lease.give_back()
        finally:
            # No await between the last look at the queue and this: nobody can slip in unseen.
            del self._queues[variant_id]
            _fail(queue, Unavailable("the reservation was cut off", retry_after_s=1))

    async def _all_batches(self, queue: deque[_Waiter], lease: "_Lease") -> None:
        """Run batch after batch for as long as somebody waits and the lock is ours."""
        while queue and not lease.is_over():
            await self._one_batch(queue, lease.waited_ms())
            await asyncio.sleep(0)  # who was just answered may want more

    async def _one_batch(self, queue: deque[_Waiter], lock_ms: float | None) -> None:
        waiters = self._take(queue)
        if not waiters:
            return
        try:
            result = await self._run([waiter.command for waiter in waiters])
        except Exception as error:  # noqa: BLE001 - whatever failed, each waiter has to learn of it
            _fail(waiters, error)
            return
        self._settle(waiters, result, lock_ms)

    def _take(self, queue: deque[_Waiter]) -> list[_Waiter]:
        size = min(len(queue), self._limits.batch_size)
        taken = [queue.popleft() for _ in range(size)]
        return [waiter for waiter in taken if waiter.is_wanted()]

    def _settle(
        self, waiters: Sequence[_Waiter], result: BatchResult, lock_ms: float | None
    ) -> None:
        BATCHES.observe(len(result.outcomes))
        self._sold_out.mark(result.sold_out)
        timings = Timings(lock_ms, result.confirm_ms, result.reserve_ms)
        for waiter, outcome in zip(waiters, result.outcomes, strict=True):
            self._answer(waiter, outcome, timings)
        self._tell(result)

    def _tell(self, result: BatchResult) -> None:
        """Tell of what changed, aside; what comes while that runs is told together."""
        if self._afterwards is None or not result.changed:
            return
        self._untold = BatchResult(
            outcomes=(),
            changed=self._untold.changed | result.changed,
            crossed_products=self._untold.crossed_products | result.crossed_products,
        )
        if not self._is_telling:
            self._is_telling = True
            self._run_aside(self._tell_all(self._afterwards))

    async def _tell_all(self, afterwards: Afterwards) -> None:
        try:
            while self._untold.changed:
                news, self._untold = self._untold, _NOTHING
                await afterwards(news)
                await asyncio.sleep(_TELL_EVERY_S)
        finally:
            self._is_telling = False

    def _answer(self, waiter: _Waiter, outcome: Outcome, timings: Timings) -> None:
        is_refused = isinstance(outcome, DomainError)
        (_REFUSED if is_refused else _GRANTED).inc()
        if waiter.answer.done():
            return
        if isinstance(outcome, DomainError):
            waiter.answer.set_exception(outcome)
        else:
            waiter.answer.set_result((outcome, timings))


def _fail(waiters: Iterable[_Waiter], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.answer.done():
            waiter.answer.set_exception(error)

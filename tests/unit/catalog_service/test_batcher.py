"""Joining those who wait, with a transaction and a lock that the test holds in its hand."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from catalog_service.models.reservations import (
    HeldStock,
    InsufficientStock,
    Outcome,
    ReserveCommand,
    Shortage,
)
from catalog_service.services.batcher import BatchResult, Limits, ReservationBatcher
from common_lib.awaited import Caller, NobodyWaits, caller
from common_lib.errors import Unavailable
from tests.unit.catalog_service.makers import command, held
from tests.waiting import eventually

A, B = UUID(int=1), UUID(int=2)


@dataclass
class FakeTransaction:
    """Grants from a shelf; each run waits until the gate is open."""

    shelf: dict[UUID, int]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[int] = field(default_factory=list)
    running: int = 0
    failure: Exception | None = None  # of the first run only
    known: set[UUID] = field(default_factory=set)
    lookups: list[int] = field(default_factory=list)

    async def __call__(self, commands: Sequence[ReserveCommand]) -> BatchResult:
        self.batches.append(len(commands))
        self.running += 1
        assert self.running == 1, "two transactions of one item at once"
        self.entered.set()
        await self.gate.wait()
        self.running -= 1
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        outcomes = [self._decide(each) for each in commands]
        sold_out = frozenset(v for v, left in self.shelf.items() if left == 0)
        return BatchResult(outcomes, sold_out=sold_out, changed=frozenset(self.shelf))

    def _decide(self, each: ReserveCommand) -> Outcome:
        line = each.lines[0]
        if self.shelf[line.variant_id] < line.quantity:
            return InsufficientStock([Shortage(line.variant_id, line.quantity, 0)])
        self.shelf[line.variant_id] -= line.quantity
        self.known.add(each.reservation_id)
        return held(each)

    async def find_known(self, reservation_ids: Collection[UUID]) -> Collection[UUID]:
        self.lookups.append(len(reservation_ids))
        await asyncio.sleep(0)
        return self.known & set(reservation_ids)


@dataclass
class FakeLock:
    can_have: bool = True
    held_now: bool = False
    waits: list[float] = field(default_factory=list)

    async def acquire(self, *, wait_s: float) -> bool:
        assert not self.held_now
        self.waits.append(wait_s)
        self.held_now = self.can_have
        return self.can_have

    async def release(self) -> None:
        self.held_now = False


def new_batcher(
    run: FakeTransaction, lock: FakeLock | None = None, **limits: float
) -> ReservationBatcher:
    shared = lock or FakeLock()
    return ReservationBatcher(
        run,
        lambda _: shared,
        run.find_known,
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


async def all_of(
    batcher: ReservationBatcher, commands: Sequence[ReserveCommand]
) -> list[HeldStock | BaseException]:
    answers = await asyncio.gather(
        *(batcher.reserve(each) for each in commands), return_exceptions=True
    )
    return [answer if isinstance(answer, BaseException) else answer[0] for answer in answers]


async def test_who_comes_while_a_transaction_runs_joins_the_next() -> None:
    run = FakeTransaction({A: 100})
    batcher = new_batcher(run)
    first = asyncio.create_task(batcher.reserve(command((A, 1))))
    await run.entered.wait()
    others = [asyncio.create_task(batcher.reserve(command((A, 1)))) for _ in range(20)]
    await eventually(lambda: batcher.waiting(A) == 20)
    run.gate.set()
    await asyncio.gather(first, *others)
    assert run.batches == [1, 20]


async def test_nobody_waits_for_company() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    await new_batcher(run).reserve(command((A, 1)))
    assert run.batches == [1]


async def test_a_batch_has_its_limit() -> None:
    run = FakeTransaction({A: 1000})
    run.gate.set()
    await all_of(new_batcher(run, batch_size=128), [command((A, 1)) for _ in range(300)])
    assert run.batches == [128, 128, 44]


async def test_each_waiter_gets_its_own_outcome() -> None:
    run = FakeTransaction({A: 10})
    run.gate.set()
    commands = [command((A, 1)) for _ in range(100)]
    answers = await all_of(new_batcher(run), commands)
    got = [a for a in answers if isinstance(a, HeldStock)]
    assert [a.reservation_id for a in got] == [c.reservation_id for c in commands[:10]]
    assert all(isinstance(a, InsufficientStock) for a in answers[10:])
    assert run.shelf[A] == 0


async def test_items_do_not_wait_for_each_other() -> None:
    slow, fast = FakeTransaction({A: 5}), FakeTransaction({B: 5})
    fast.gate.set()

    async def run(commands: Sequence[ReserveCommand]) -> BatchResult:
        return await (slow if commands[0].queue_key == A else fast)(commands)

    batcher = ReservationBatcher(run, lambda _: FakeLock(), slow.find_known)
    waiting = asyncio.create_task(batcher.reserve(command((A, 1))))
    await slow.entered.wait()
    await batcher.reserve(command((B, 1)))
    assert not waiting.done()
    slow.gate.set()
    await waiting


async def test_many_items_take_turns_and_gather_company_meanwhile() -> None:
    run = FakeTransaction({A: 5, B: 5})
    batcher = new_batcher(run, transactions=1)
    first = asyncio.create_task(batcher.reserve(command((A, 1))))
    await run.entered.wait()
    others = [asyncio.create_task(batcher.reserve(command((B, 1)))) for _ in range(3)]
    await eventually(lambda: batcher.waiting(B) == 3)
    assert run.batches == [1]
    run.gate.set()
    await asyncio.gather(first, *others)
    assert run.batches == [1, 3]


async def test_without_the_lock_it_goes_on() -> None:
    run, lock = FakeTransaction({A: 1}), FakeLock(can_have=False)
    run.gate.set()
    _, timings = await new_batcher(run, lock, lock_wait_s=0.05).reserve(command((A, 1)))
    assert lock.waits == [0.05]
    assert timings.lock_ms is None


async def test_the_lock_is_given_back_after_a_failure() -> None:
    run, lock = FakeTransaction({A: 1}, failure=Unavailable("gone")), FakeLock()
    run.gate.set()
    batcher = new_batcher(run, lock)
    with pytest.raises(Unavailable):
        await batcher.reserve(command((A, 1)))
    await batcher.close()
    assert not lock.held_now


async def test_a_failed_batch_fails_its_waiters_and_no_later_ones() -> None:
    run = FakeTransaction({A: 9}, failure=Unavailable("gone"))
    batcher = new_batcher(run)
    unlucky = asyncio.gather(
        *(batcher.reserve(command((A, 1))) for _ in range(3)), return_exceptions=True
    )
    await run.entered.wait()
    later = asyncio.create_task(batcher.reserve(command((A, 1))))
    await eventually(lambda: batcher.waiting(A) == 1)
    run.gate.set()
    assert all(isinstance(answer, Unavailable) for answer in await unlucky)
    await later
    assert run.batches == [3, 1]


async def test_a_caller_who_goes_away_does_not_take_the_batch_along() -> None:
    run = FakeTransaction({A: 9})
    batcher = new_batcher(run)
    leaver = asyncio.create_task(batcher.reserve(command((A, 1))))
    await run.entered.wait()
    stayer = asyncio.create_task(batcher.reserve(command((A, 1))))
    await eventually(lambda: batcher.waiting(A) == 1)
    leaver.cancel()
    run.gate.set()
    await stayer
    assert run.shelf[A] == 7


async def test_who_left_before_the_transaction_takes_nothing() -> None:
    run = FakeTransaction({A: 9})
    batcher = new_batcher(run)
    first = asyncio.create_task(batcher.reserve(command((A, 1))))
    await run.entered.wait()
    leaver = asyncio.create_task(batcher.reserve(command((A, 1))))
    await eventually(lambda: batcher.waiting(A) == 1)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    run.gate.set()
    await first
    await batcher.close()
    assert run.shelf[A] == 8


async def test_a_sold_out_item_is_refused_without_a_transaction() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=60)
    await batcher.reserve(command((A, 1)))
    with pytest.raises(InsufficientStock) as refusal:
        await batcher.reserve(command((A, 2)))
    assert refusal.value.details["items"] == [{"variantId": str(A), "requested": 2, "available": 0}]
    assert run.batches == [1]


async def test_a_repeated_request_passes_the_sold_out_marker() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=60)
    lucky = command((A, 1))
    await batcher.reserve(lucky)
    run.shelf[A] = 1
    await batcher.reserve(lucky)
    assert run.batches == [1, 1]


async def test_a_unit_that_another_process_granted_passes_the_sold_out_marker() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=60)
    await batcher.reserve(command((A, 1)))
    unanswered = command((A, 1))
    run.known.add(unanswered.reservation_id)
    run.shelf[A] = 1
    granted, _ = await batcher.reserve(unanswered)
    assert granted.reservation_id == unanswered.reservation_id


async def test_a_crowd_before_a_sold_out_item_is_looked_up_together() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=60)
    await batcher.reserve(command((A, 1)))
    crowd = (batcher.reserve(command((A, 1))) for _ in range(100))
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    assert all(isinstance(answer, InsufficientStock) for answer in answers)
    assert run.lookups == [100]
    assert run.batches == [1]


async def test_a_failed_look_up_refuses_nobody_as_sold_out(monkeypatch: pytest.MonkeyPatch) -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    monkeypatch.setattr(run, "find_known", failing_look_up)
    batcher = new_batcher(run, sold_out_ttl_s=60)
    await batcher.reserve(command((A, 1)))
    with pytest.raises(Unavailable):
        await batcher.reserve(command((A, 1)))


async def failing_look_up(_: Collection[UUID]) -> Collection[UUID]:
    raise Unavailable("the database is away")


async def test_returned_stock_lifts_the_sold_out_marker() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=60)
    await batcher.reserve(command((A, 1)))
    run.shelf[A] = 1
    batcher.forget_sold_out([A])
    await batcher.reserve(command((A, 1)))
    assert run.shelf[A] == 0


async def test_the_sold_out_marker_ages_out() -> None:
    run = FakeTransaction({A: 1})
    run.gate.set()
    batcher = new_batcher(run, sold_out_ttl_s=0)
    await batcher.reserve(command((A, 1)))
    run.shelf[A] = 1
    await batcher.reserve(command((A, 1)))
    assert run.shelf[A] == 0


async def test_the_lock_is_kept_while_buyers_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    # However slow the machine, the lease is not over before the last batch.
    monkeypatch.setattr("catalog_service.services.batcher._LEASE_S", 60)
    run, lock = FakeTransaction({A: 1000}), FakeLock()
    run.gate.set()
    batcher = new_batcher(run, lock, batch_size=10)
    await all_of(batcher, [command((A, 1)) for _ in range(30)])
    await batcher.close()
    assert run.batches == [10, 10, 10]
    assert len(lock.waits) == 1
    assert not lock.held_now


async def test_what_changed_while_others_were_told_is_told_together() -> None:
    run, told = FakeTransaction({A: 1000}), []
    run.gate.set()
    is_open = asyncio.Event()

    async def tell(result: BatchResult) -> None:
        told.append(result.changed)
        await is_open.wait()

    batcher = ReservationBatcher(run, lambda _: FakeLock(), run.find_known, afterwards=tell)
    for _ in range(5):
        await batcher.reserve(command((A, 1)))
    is_open.set()
    await batcher.close()
    assert told == [frozenset({A})] * 2


async def test_a_broken_announcement_leaves_no_item_without_a_leader() -> None:
    run = FakeTransaction({A: 9})
    run.gate.set()

    async def broken(result: BatchResult) -> None:
        del result
        raise RuntimeError("cannot tell")

    batcher = ReservationBatcher(run, lambda _: FakeLock(), run.find_known, afterwards=broken)
    await batcher.reserve(command((A, 1)))
    await batcher.close()
    await batcher.reserve(command((A, 1)))
    await batcher.close()
    assert run.shelf[A] == 7


async def test_who_no_longer_waits_when_the_batch_begins_is_given_nothing() -> None:
    run = FakeTransaction({A: 10})
    batcher = new_batcher(run)
    first = asyncio.create_task(batcher.reserve(command((A, 1))))
    await run.entered.wait()
    caller.set(gone := Caller())
    late = asyncio.create_task(batcher.reserve(command((A, 1))))
    caller.set(None)
    patient = asyncio.create_task(batcher.reserve(command((A, 1))))
    await eventually(lambda: batcher.waiting(A) == 2)

    gone.is_gone = True
    run.gate.set()
    await asyncio.gather(first, patient)

    with pytest.raises(NobodyWaits):
        await late
    assert (run.batches, run.shelf[A]) == ([1, 1], 8)

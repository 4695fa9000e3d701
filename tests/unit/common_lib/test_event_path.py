"""What the relay sends, in which batches, and what a consumer keeps, deletes and gives back."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from common_lib.bus import MAX_BATCH, Bus
from common_lib.consumer import Consumer, Delivery, SomeFailed
from common_lib.errors import Unavailable
from common_lib.events import Envelope
from common_lib.events.users import UserRegistered
from common_lib.ids import new_id
from common_lib.outbox import _batches, _Row
from tests.fakes import FakeBus
from tests.waiting import eventually


def row(topic: str = "order-events", *, size: int = 10) -> _Row:
    return _Row(new_id().bytes, topic, "ORDER_SHIPPED", 1, b"x" * size, None, None, 0)


def test_rows_go_out_in_batches_of_ten_per_topic() -> None:
    rows = [row(topic) for topic in ("order-events", "user-events") for _ in range(12)]

    batches = list(_batches(rows))

    assert sorted(len(batch) for batch in batches) == [2, 2, MAX_BATCH, MAX_BATCH]
    assert all(len({row.topic for row in batch}) == 1 for batch in batches)


def test_a_batch_stays_below_the_size_limit_of_the_bus() -> None:
    batches = list(_batches(row(size=100_000) for _ in range(6)))

    assert all(sum(len(r.body) for r in batch) <= 256 * 1024 for batch in batches)
    assert sum(map(len, batches)) == 6


def body() -> str:
    event = UserRegistered(user_id=new_id(), email="a@b.example", full_name="A")
    return Envelope.wrap(event, source="test").model_dump_json(by_alias=True)


class Desk:
    """A consumer over a fake bus, run until an outcome is seen."""

    def __init__(self) -> None:
        self.bus = FakeBus()
        self.handled: list[Envelope] = []
        self.errors: list[Exception] = []
        self.stop = asyncio.Event()

    async def process(self, envelope: Envelope) -> None:
        if self.errors:
            raise self.errors.pop()
        self.handled.append(envelope)

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await self.process(delivery.envelope)

    async def run_until(self, condition: Any) -> None:
        consumer = Consumer(cast("Bus", self.bus), "q", self.take, wait_s=0)
        running = asyncio.create_task(consumer.run(self.stop))
        await eventually(condition, timeout_s=5)
        self.stop.set()
        await running


async def test_a_handled_message_is_deleted() -> None:
    desk = Desk()
    desk.bus.put(body(), "r1")

    await desk.run_until(lambda: desk.bus.deleted)

    assert (desk.bus.deleted, len(desk.handled)) == (["r1"], 1)


@pytest.mark.parametrize("bad", ["{", '{"eventType": 1}'])
async def test_a_message_that_is_no_event_is_left_for_the_dead_letter_queue(bad: str) -> None:
    desk = Desk()
    desk.bus.put(bad, "r1", receive_count=2)

    await desk.run_until(lambda: "r1" in desk.bus.given_back)

    assert (desk.bus.deleted, desk.handled) == ([], [])
    assert desk.bus.given_back["r1"] == 4


async def test_one_bad_message_does_not_hold_up_the_others_of_its_batch() -> None:
    desk = Desk()
    desk.bus.put("{", "bad")
    desk.bus.put(body(), "good")

    await desk.run_until(lambda: desk.bus.deleted)

    assert desk.bus.deleted == ["good"]


async def test_an_outage_holds_the_message_and_receives_no_more() -> None:
    desk = Desk()
    desk.errors = [Unavailable("SES is away")]
    desk.bus.put(body(), "held")

    await desk.run_until(lambda: desk.bus.deleted)

    assert (desk.bus.deleted, len(desk.handled)) == (["held"], 1)


async def test_a_stop_during_an_outage_gives_the_message_back_at_once() -> None:
    desk = Desk()
    desk.errors = [Unavailable("SES is away") for _ in range(100)]
    desk.bus.put(body(), "held")

    await desk.run_until(lambda: len(desk.errors) < 100)

    assert (desk.bus.deleted, desk.bus.given_back) == ([], {"held": 0})


class HeldDesk(Desk):
    """Everything is away for the message named `held`, until `is_back` is set."""

    def __init__(self, held: str) -> None:
        super().__init__()
        self.held = held
        self.is_back = False

    async def process(self, envelope: Envelope) -> None:
        if str(envelope.event_id) == self.held and not self.is_back:
            raise Unavailable("SES is away")
        await super().process(envelope)


async def test_a_held_message_does_not_keep_the_handled_ones_from_being_deleted() -> None:
    """Nobody would renew their invisibility meanwhile: they would come again and again."""
    first = body()
    desk = HeldDesk(str(Envelope.model_validate_json(first).event_id))
    desk.bus.put(first, "held")
    desk.bus.put(body(), "done")

    await desk.run_until(lambda: desk.bus.deleted == ["done"])

    assert desk.bus.given_back == {"held": 0}


class ForgetfulBus(FakeBus):
    """A queue whose first deletion fails."""

    failures = 1

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("SQS is away")
        await super().delete(queue, receipts)


async def test_a_deletion_that_fails_disturbs_no_other_message() -> None:
    first = body()
    desk = HeldDesk(str(Envelope.model_validate_json(first).event_id))
    desk.bus = bus = ForgetfulBus()
    bus.put(first, "held")
    bus.put(body(), "done")

    def is_deleted() -> bool:
        desk.is_back = bus.failures == 0
        return bus.deleted == ["held"]

    await desk.run_until(is_deleted)

    assert len(desk.handled) == 2


async def test_a_message_is_kept_invisible_while_it_is_worked_on() -> None:
    desk, may_end = Desk(), asyncio.Event()
    desk.bus.put(body(), "slow")

    async def slow(envelope: Envelope) -> None:
        desk.handled.append(envelope)
        await may_end.wait()

    desk.process = slow  # type: ignore[method-assign]
    consumer = Consumer(cast("Bus", desk.bus), "q", desk.take, wait_s=0, visibility_s=1)
    running = asyncio.create_task(consumer.run(desk.stop))
    await eventually(lambda: desk.bus.given_back == {"slow": 1}, timeout_s=5)
    may_end.set()
    await eventually(lambda: desk.bus.deleted == ["slow"], timeout_s=5)
    desk.stop.set()
    await running


class TogetherDesk(Desk):
    """Takes what comes together as one, unless one of it is poison."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.poison: set[UUID] = set()
        self.failing: dict[UUID, Exception] = {}

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        self.batches.append(len(deliveries))
        if any(each.event_id in self.poison for each in deliveries):
            raise RuntimeError("poison")
        failed = {
            each.event_id: self.failing[each.event_id]
            for each in deliveries
            if each.event_id in self.failing
        }
        self.handled += [each.envelope for each in deliveries if each.event_id not in failed]
        if failed:
            raise SomeFailed(failed)


def ten_on(desk: Desk) -> list[UUID]:
    bodies = [body() for _ in range(10)]
    for n, each in enumerate(bodies):
        desk.bus.put(each, f"r{n}")
    return [Envelope.model_validate_json(each).event_id for each in bodies]


async def test_what_comes_together_is_handled_and_deleted_as_one() -> None:
    desk = TogetherDesk()
    ten_on(desk)

    await desk.run_until(lambda: desk.bus.deleted)

    assert (desk.batches, len(desk.bus.deleted)) == ([10], 10)


async def test_a_poison_message_amid_ten_harms_none_of_the_others() -> None:
    desk = TogetherDesk()
    ids = ten_on(desk)
    desk.poison = {ids[4]}

    await desk.run_until(lambda: len(desk.bus.deleted) == 9 and "r4" in desk.bus.given_back)

    assert desk.batches == [10] + [1] * 10
    assert {each.event_id for each in desk.handled} == set(ids) - desk.poison


async def test_what_failed_amid_ten_is_left_and_not_tried_again_at_once() -> None:
    desk = TogetherDesk()
    ids = ten_on(desk)
    desk.failing = {ids[7]: ValueError("no")}

    await desk.run_until(lambda: "r7" in desk.bus.given_back)

    assert (desk.batches, len(desk.bus.deleted)) == ([10], 9)


async def test_what_is_away_for_one_of_ten_is_waited_for_after_the_others_are_deleted() -> None:
    desk = TogetherDesk()
    ids = ten_on(desk)
    desk.failing = {ids[7]: Unavailable("SES is away")}

    def are_others_done() -> bool:
        if len(desk.bus.deleted) == 9:
            desk.failing.clear()
        return len(desk.bus.deleted) == 10

    await desk.run_until(are_others_done)

    assert desk.bus.deleted[-1] == "r7"
    assert len(desk.handled) == 10

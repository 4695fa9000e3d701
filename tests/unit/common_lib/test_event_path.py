"""What the relay sends, in which batches, and what a consumer keeps, deletes and gives back."""

import asyncio
from typing import Any, cast

import pytest

from common_lib.bus import MAX_BATCH, Bus
from common_lib.consumer import Consumer
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

    async def run_until(self, condition: Any) -> None:
        consumer = Consumer(cast("Bus", self.bus), "q", self.process, wait_s=0)
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

"""Outbox, relay, SNS, SQS, inbox and dead letter queue on real parts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.bus import Bus, OutgoingMessage
from common_lib.consumer import Consumer, Delivery, with_inbox
from common_lib.database import Database, WriteSession
from common_lib.events import Envelope, Topic
from common_lib.events.users import UserDeleted, UserRegistered
from common_lib.ids import new_id
from common_lib.outbox import Relay, enqueue, wake
from common_lib.telemetry import TraceContext, bound_trace, current_trace
from tests.waiting import eventually

OpenDatabase = Callable[[str], Database]


def registered(user_id: UUID) -> UserRegistered:
    return UserRegistered(user_id=user_id, email="a@b.example", full_name="A")


async def write(database: Database, *user_ids: UUID) -> None:
    async def work(session: WriteSession) -> None:
        await enqueue(session, *(registered(user_id) for user_id in user_ids), source="test")

    await database.transact(work)


async def unpublished(database: Database) -> int:
    async with database.read() as session:
        found = await session.scalar(
            sa.text("SELECT COUNT(*) FROM outbox WHERE published_at IS NULL")
        )
    return int(found or 0)


class Reader:
    """A consumer's handler that remembers whom it was told of."""

    def __init__(self) -> None:
        self.seen: list[UUID] = []

    async def handle(self, session: WriteSession, event: Any, envelope: Envelope) -> None:
        del session, envelope
        self.seen.append(event.user_id)


@asynccontextmanager
async def running(*loops: Callable[[asyncio.Event], Any]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(loop(stop)) for loop in loops]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_a_committed_event_reaches_its_consumer_once(
    database: Database, bus: Bus, redis: Redis, queue: str
) -> None:
    relay, reader = Relay(database, bus, redis, source="test"), Reader()
    process = with_inbox(database, "test", {UserRegistered: reader.handle})
    consumer = Consumer(bus, queue, process, wait_s=1)
    users = [new_id() for _ in range(25)]

    async with running(relay.run, consumer.run):
        await write(database, *users)
        await wake(redis, "test")
        await eventually(lambda: len(reader.seen) >= 25)

    assert sorted(reader.seen) == sorted(users)
    assert await unpublished(database) == 0


async def test_the_trace_and_the_id_of_a_request_reach_its_consumers(
    database: Database, bus: Bus, redis: Redis, queue: str
) -> None:
    relay, found = Relay(database, bus, redis, source="test"), list[TraceContext | None]()

    async def look(session: WriteSession, event: Any, envelope: Envelope) -> None:
        del session, event, envelope
        found.append(current_trace())

    process = with_inbox(database, "test", {UserRegistered: look})
    consumer = Consumer(bus, queue, process, wait_s=1)
    trace_id = new_id().hex

    async with running(relay.run, consumer.run):
        with bound_trace(f"00-{trace_id}-00f067aa0ba902b7-01", "request-1", name="asking"):
            await write(database, new_id())
        await wake(redis, "test")
        await eventually(lambda: bool(found))

    assert found[0] is not None
    assert found[0].traceparent.split("-")[1] == trace_id


async def test_two_relays_publish_nothing_twice(
    database: Database, open_database: OpenDatabase, bus: Bus, redis: Redis, queue: str
) -> None:
    other = open_database(database.writer.url.render_as_string(hide_password=False))
    relays = [Relay(one, bus, redis, source="test") for one in (database, other)]
    await write(database, *(new_id() for _ in range(40)))

    async def drained() -> bool:
        return await unpublished(database) == 0

    async with running(*(relay.run for relay in relays)):
        await eventually(drained)

    received: list[str] = []
    while batch := await bus.receive(queue, wait_s=1):
        received += [message.body for message in batch]
    assert len(received) == len(set(received)) == 40


async def hold(database: Database, user_id: UUID, column: str) -> None:
    async def work(session: WriteSession) -> None:
        await session.execute(
            sa.text(
                f"UPDATE outbox SET {column} = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR,"  # noqa: S608
                " next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR"
                " WHERE aggregate_key = :key ORDER BY id LIMIT 1"
            ),
            {"key": str(user_id)},
        )

    await database.transact(work)


@pytest.mark.parametrize("column", ["parked_at", "next_attempt_at"])
async def test_a_held_row_holds_the_later_rows_of_its_aggregate_only(
    database: Database, bus: Bus, redis: Redis, column: str
) -> None:
    """More rows are held than one look takes: they must not stall the others."""
    stuck, free = new_id(), new_id()
    await write(database, *[stuck] * 450)
    await hold(database, stuck, column)
    await write(database, free)

    published = await Relay(database, bus, redis, source="test").drain()

    assert published == 1
    assert await unpublished(database) == 450


async def test_an_event_delivered_twice_has_one_effect(database: Database) -> None:
    reader = Reader()
    process = with_inbox(database, "test", {UserRegistered: reader.handle})
    envelope = Envelope.wrap(registered(new_id()), source="test")

    await asyncio.gather(*(process([Delivery(envelope)]) for _ in range(10)))

    assert len(reader.seen) == 1


async def test_a_handler_that_fails_leaves_no_trace_in_the_inbox(database: Database) -> None:
    envelope = Envelope.wrap(registered(new_id()), source="test")
    reader = Reader()

    async def fail(session: WriteSession, event: Any, envelope: Envelope) -> None:
        raise RuntimeError(f"no {event.user_id} {envelope.event_id} {session}")

    with pytest.raises(RuntimeError):
        await with_inbox(database, "test", {UserRegistered: fail})([Delivery(envelope)])
    await with_inbox(database, "test", {UserRegistered: reader.handle})([Delivery(envelope)])

    assert len(reader.seen) == 1


async def test_an_event_nobody_here_handles_is_acknowledged(
    database: Database, bus: Bus, queue: str
) -> None:
    process = with_inbox(database, "test", {})
    body = Envelope.wrap(UserDeleted(user_id=new_id()), source="test").model_dump_json(
        by_alias=True
    )

    async with running(Consumer(bus, queue, process, wait_s=1).run):
        await bus.publish(Topic.USER_EVENTS, [OutgoingMessage("1", body)])
        await eventually(lambda: _is_empty(bus, queue))

    assert await _depth(bus, f"{queue}-dlq") == 0


@pytest.mark.parametrize("body", ["{not json", '{"eventType": "NO_SUCH_EVENT"}'])
async def test_a_message_nobody_can_read_ends_in_the_dead_letter_queue(
    database: Database, bus: Bus, queue: str, body: str
) -> None:
    reader = Reader()
    process = with_inbox(database, "test", {UserRegistered: reader.handle})

    async def is_dead() -> bool:
        return await _depth(bus, f"{queue}-dlq") == 1

    async with running(Consumer(bus, queue, process, wait_s=1, visibility_s=1).run):
        await bus.publish(Topic.USER_EVENTS, [OutgoingMessage("1", body)])
        await eventually(is_dead, timeout_s=40)

    assert reader.seen == []


async def _depth(bus: Bus, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = (await bus._sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    answer = await bus._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


async def _is_empty(bus: Bus, queue: str) -> bool:
    return await _depth(bus, queue) == 0

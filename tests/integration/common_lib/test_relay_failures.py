"""What the relay does with events, buses and databases that fail it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.bus import Bus, OutgoingMessage
from common_lib.cache import create_redis
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.events import Event, Topic
from common_lib.events.catalog import ProductCreated
from common_lib.events.users import UserRegistered
from common_lib.ids import new_id
from common_lib.outbox import Relay, enqueue, wake
from tests.fakes import FakeBus
from tests.waiting import eventually

LEADER = "SELECT IS_USED_LOCK(CONCAT('outbox:', DATABASE()))"


async def write(database: Database, *events: Event) -> None:
    async def work(session: WriteSession) -> None:
        await enqueue(session, *events, source="test")

    await database.transact(work)


def registered(full_name: str = "A") -> UserRegistered:
    return UserRegistered(user_id=new_id(), email="a@b.example", full_name=full_name)


def created() -> ProductCreated:
    return ProductCreated(product_id=new_id(), name="B", status="ACTIVE", product_version=1)


async def scalar(database: Database, sql: str) -> Any:
    async with database.read() as session:
        return await session.scalar(sa.text(sql))


async def pending(database: Database) -> int:
    return int(await scalar(database, "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL"))


@asynccontextmanager
async def leading(relay: Relay) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


class TopicBus(FakeBus):
    """A bus on which some topics are away; `on_publish` happens in the middle of each publish."""

    def __init__(self, *away: str) -> None:
        super().__init__()
        self.away = set(away)
        self.tries = 0
        self.on_publish: Callable[[], Any] | None = None

    async def publish(self, topic: str, messages: Sequence[OutgoingMessage]) -> Mapping[str, str]:
        self.tries += 1
        if self.on_publish is not None:
            await self.on_publish()
        if topic in self.away:
            raise Unavailable("the topic is away")
        return await super().publish(topic, messages)


def relay_over(database: Database, bus: FakeBus, redis: Redis | None = None) -> Relay:
    redis = redis or create_redis("redis://127.0.0.1:9/0")
    return Relay(database, cast("Bus", bus), redis, source="test")


async def test_a_text_that_xml_cannot_carry_arrives_unchanged(
    database: Database, bus: Bus, redis: Redis, queue: str
) -> None:
    """SQS takes XML's characters only; SNS says yes to the others and loses them on the way."""
    name = "\ufffe\uffff\u0001 é 🎉"
    await write(database, registered(name))

    await Relay(database, bus, redis, source="test").drain()

    received = await bus.receive(queue, wait_s=5)
    assert [json.loads(message.body)["data"]["fullName"] for message in received] == [name]


async def test_an_event_too_large_for_the_bus_stops_no_other(
    database: Database, bus: Bus, redis: Redis, queue: str
) -> None:
    await write(database, registered(), registered("x" * 300_000), registered())

    await Relay(database, bus, redis, source="test").drain()

    assert len(await bus.receive(queue, wait_s=5)) >= 1
    assert await pending(database) == 1
    reason = "SELECT last_error FROM outbox WHERE published_at IS NULL AND attempts = 1"
    assert await scalar(database, reason) == "BatchRequestTooLong"


async def test_what_went_out_is_marked_though_another_batch_failed(database: Database) -> None:
    bus = TopicBus(Topic.CATALOG_EVENTS)
    await write(database, *(registered() for _ in range(3)))
    await write(database, created())

    with pytest.raises(Unavailable):
        await relay_over(database, bus).drain()

    assert (len(bus.published), await pending(database)) == (3, 1)


async def test_commits_during_an_outage_of_the_bus_do_not_hurry_the_relay(
    database: Database, redis: Redis
) -> None:
    bus = TopicBus(Topic.USER_EVENTS)
    await write(database, registered())

    async with leading(relay_over(database, bus, redis)):
        await eventually(lambda: bus.tries == 1)
        for _ in range(50):
            await wake(redis, "test")
            await redis.ping()
        assert bus.tries == 1
        bus.away.clear()
        await eventually(lambda: bus.published)


async def test_a_leader_whose_connection_is_killed_in_a_drain_leads_again(
    database: Database,
) -> None:
    """The rows it had just published go out twice; none is lost."""
    bus = TopicBus()
    events = [registered() for _ in range(25)]

    async def kill_leader() -> None:
        bus.on_publish = None
        leader = await scalar(database, LEADER)
        async with database.connection() as killer:
            await killer.execute(sa.text(f"KILL {leader}"))

    bus.on_publish = kill_leader
    await write(database, *events)

    async def is_drained() -> bool:
        return await pending(database) == 0

    async with leading(relay_over(database, bus)):
        await eventually(is_drained)

    sent = {json.loads(message.body)["data"]["userId"] for message in bus.published}
    assert sent == {str(event.user_id) for event in events}


async def test_a_stopped_leader_frees_the_lead_at_once(database: Database) -> None:
    async with leading(relay_over(database, TopicBus())):
        await eventually(lambda: scalar(database, LEADER))

    assert await eventually(lambda: _is_free(database), timeout_s=2)


async def _is_free(database: Database) -> bool:
    return await scalar(database, LEADER) is None

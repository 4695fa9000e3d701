"""Tokens on their way to the mail: in the message, and nowhere once it is published."""

import json
from typing import Any, cast

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.bus import Bus
from common_lib.outbox import Relay
from tests.conftest import ScratchDatabase
from tests.fakes import FakeBus
from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.mailed import RESET, VERIFY, answer_requests, forgot, verify
from user_service.models import outbox

TYPES = {"USER_REGISTERED", VERIFY, RESET}


@pytest.fixture
async def app(open_app: Open, scratch_database: ScratchDatabase) -> Served:
    """An app on a database of its own, whose outbox this test alone publishes."""
    return await open_app(database_url=await scratch_database("user"), database_read_urls=())


async def bodies(app: Served) -> dict[str, dict[str, Any]]:
    async with app.database.read() as session:
        rows = await session.execute(sa.select(outbox.c.event_type, outbox.c.body))
        return {row.event_type: json.loads(row.body) for row in rows}


async def test_a_token_is_struck_out_of_the_outbox_once_it_is_published(
    app: Served, redis: Redis
) -> None:
    person = await app.customer()
    await forgot(app, person.email)
    await answer_requests(app, redis)
    bus = FakeBus(is_away=True)
    relay = Relay(app.database, cast("Bus", bus), redis, source="user-service")
    written = await bodies(app)

    with pytest.raises(Exception, match="away"):
        await relay.drain()
    waiting = await bodies(app)
    bus.is_away = False
    await relay.drain()

    assert waiting == written
    sent = {body["eventType"]: body for body in (json.loads(m.body) for m in bus.published)}
    assert sent == written
    assert set(sent) == TYPES
    kept = await bodies(app)
    for event_type in (VERIFY, RESET):
        token = sent[event_type]["data"].pop("token")
        assert len(token) >= 43
        assert token not in str(kept)
    assert kept == sent
    assert await relay.drain() == 0


async def test_a_token_that_the_bus_refused_is_kept_for_the_next_try(
    app: Served, redis: Redis
) -> None:
    await app.customer()
    async with app.database.read() as session:
        ids = {
            row.event_type: row.id.hex
            for row in await session.execute(sa.select(outbox.c.event_type, outbox.c.id))
        }
    bus = FakeBus(refuse={ids[VERIFY]: "InternalError"})
    relay = Relay(app.database, cast("Bus", bus), redis, source="user-service")

    await relay.drain()

    token = (await bodies(app))[VERIFY]["data"]["token"]
    assert (await verify(app, token)).status_code == 204


async def test_an_event_whose_token_was_struck_out_is_not_published_by_hand(
    app: Served, redis: Redis
) -> None:
    """It would end in the dead letter queue; `shop outbox replay` makes the link anew."""
    await app.customer()
    await Relay(app.database, cast("Bus", FakeBus()), redis, source="user-service").drain()
    async with app.database.connection() as connection:
        await connection.execute(sa.text("UPDATE outbox SET published_at = NULL"))
        await connection.commit()
    bus = FakeBus()
    relay = Relay(app.database, cast("Bus", bus), redis, source="user-service")

    await relay.drain()

    assert [json.loads(m.body)["eventType"] for m in bus.published] == ["USER_REGISTERED"]
    assert await relay.drain() == 0

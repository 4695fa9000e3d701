"""What a bus forgot is published again, as far as it had not arrived; lost links are made anew."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from common_lib.database import Database
from common_lib.events import Envelope
from common_lib.events.users import EmailVerificationRequested, UserTokenEvent
from shop.replay import replay
from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from tests.conftest import settings_for
from tests.databases import migrated
from tests.integration.shop.planting import clear, plant

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
async def made(parts: NativeStack) -> AsyncIterator[Mapping[str, Database]]:
    async with AsyncExitStack() as stack:
        opened = {}
        for service in SERVICES:
            url = await stack.enter_async_context(migrated(parts, service, f"scratch_re_{service}"))
            opened[service] = Database(settings_for(parts, service, url))
            stack.push_async_callback(opened[service].close)
        yield opened


@pytest.fixture
async def databases(made: Mapping[str, Database]) -> AsyncIterator[Mapping[str, Database]]:
    yield made
    await clear(made["user"], "outbox", "one_time_tokens", "users")
    await clear(made["catalog"], "outbox", "inbox")
    await clear(made["order"], "outbox", "inbox")
    await clear(made["notification"], "notification_logs")


def ago(**span: float) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(**span)


async def published(database: Database, event_type: str, **values: Any) -> bytes:
    defaults = {"event_type": event_type, "published_at": ago(minutes=5), "body": b"{}"}
    row = await plant(database, "outbox", **{**defaults, **values})
    event_id: bytes = row["id"]
    return event_id


async def mailed(databases: Mapping[str, Database], event_id: bytes, status: str = "SENT") -> None:
    sent_at = ago(minutes=4) if status == "SENT" else None
    await plant(
        databases["notification"],
        "notification_logs",
        event_id=event_id,
        channel="EMAIL",
        status=status,
        sent_at=sent_at,
    )


async def noted(database: Database, consumer: str, event_id: bytes) -> None:
    await plant(database, "inbox", consumer=consumer, event_id=event_id)


async def waiting(database: Database) -> set[bytes]:
    async with database.read_own_writes() as session:
        rows = await session.execute(sa.text("SELECT id FROM outbox WHERE published_at IS NULL"))
        return {bytes(row[0]) for row in rows}


async def since_a_week(databases: Mapping[str, Database], service: str) -> tuple[int, int]:
    done = await replay(databases, service, datetime.now(UTC) - WEEK)
    return done.events, done.arrived


async def test_an_event_that_never_arrived_is_published_again(
    databases: Mapping[str, Database],
) -> None:
    lost = await published(databases["order"], "ORDER_CREATED")
    assert await since_a_week(databases, "order") == (1, 0)
    assert await waiting(databases["order"]) == {lost}


async def test_an_event_that_arrived_everywhere_stays_as_it_is(
    databases: Mapping[str, Database],
) -> None:
    event_id = await published(databases["order"], "ORDER_CREATED")
    await mailed(databases, event_id)
    await noted(databases["catalog"], "catalog-queue", event_id)
    assert await since_a_week(databases, "order") == (0, 1)
    assert await waiting(databases["order"]) == set()


@pytest.mark.parametrize("missing", ["mail", "stock"])
async def test_an_event_that_arrived_at_one_of_two_is_published_again(
    databases: Mapping[str, Database], missing: str
) -> None:
    event_id = await published(databases["order"], "ORDER_CREATED")
    if missing == "mail":
        await noted(databases["catalog"], "catalog-queue", event_id)
    else:
        await mailed(databases, event_id)
    assert await since_a_week(databases, "order") == (1, 0)


@pytest.mark.parametrize("status", ["PENDING", "FAILED", "DLQ"])
async def test_a_mail_that_was_begun_and_not_sent_is_no_sign_of_arrival(
    databases: Mapping[str, Database], status: str
) -> None:
    """The dead letter queue was in the same memory."""
    event_id = await published(databases["order"], "ORDER_SHIPPED")
    await mailed(databases, event_id, status)
    assert await since_a_week(databases, "order") == (1, 0)


async def test_what_was_published_before_the_given_moment_is_left_alone(
    databases: Mapping[str, Database],
) -> None:
    await published(databases["order"], "ORDER_CREATED", published_at=ago(hours=3))
    young = await published(databases["order"], "ORDER_CREATED", published_at=ago(hours=1))
    done = await replay(databases, "order", datetime.now(UTC) - timedelta(hours=2))
    assert done.events == 1
    assert await waiting(databases["order"]) == {young}


async def test_more_than_a_page_is_published_again(databases: Mapping[str, Database]) -> None:
    async with databases["catalog"].connection() as connection:
        await connection.execute(
            sa.text(
                "INSERT INTO outbox (id, topic, aggregate_key, event_type, version, body,"
                " created_at, published_at) VALUES (:id, 'catalog-events', 'k', 'PRODUCT_UPDATED',"
                " 1, '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
            ),
            [{"id": uuid4().bytes} for _ in range(1203)],
        )
        await connection.commit()
    assert await since_a_week(databases, "catalog") == (1203, 0)


async def with_link(databases: Mapping[str, Database], **token: Any) -> tuple[bytes, bytes]:
    """Plant an account whose mail with a link was published, and lost with its token."""
    users, email = databases["user"], f"{uuid4().hex}@example.com"
    user = await plant(users, "users", email=email, status="ACTIVE")
    until = datetime.now(UTC) + timedelta(hours=5)
    event = EmailVerificationRequested(
        user_id=UUID(bytes=user["id"]),
        email=email,
        full_name="Asha",
        token="struck out",
        expires_at=until,
    )
    body = json.loads(Envelope.wrap(event, source="user-service").model_dump_json(by_alias=True))
    del body["data"]["token"]
    event_id = await published(users, event.event_type, body=json.dumps(body).encode())
    row = {
        "user_id": user["id"],
        "purpose": "VERIFY_EMAIL",
        "email": email,
        "token_hash": hashlib.sha256(b"the lost one").digest(),
        "created_at": ago(hours=19),
        "expires_at": until.replace(tzinfo=None),
        "used_at": None,
    }
    planted = await plant(users, "one_time_tokens", **(row | token))
    return event_id, planted["id"]


async def link_waiting(database: Database) -> UserTokenEvent:
    async with database.read_own_writes() as session:
        body = await session.scalar(sa.text("SELECT body FROM outbox WHERE published_at IS NULL"))
    envelope = Envelope.model_validate_json(bytes(body or b""))
    return EmailVerificationRequested.model_validate(envelope.data)


async def test_a_lost_link_is_made_anew_and_works(databases: Mapping[str, Database]) -> None:
    old_event, token_id = await with_link(databases)
    done = await replay(databases, "user", datetime.now(UTC) - WEEK)

    assert (done.events, done.links, done.ended) == (0, 1, 0)
    event = await link_waiting(databases["user"])
    async with databases["user"].read_own_writes() as session:
        row = (
            await session.execute(
                sa.text("SELECT token_hash, expires_at FROM one_time_tokens WHERE id = :id"),
                {"id": token_id},
            )
        ).one()
    assert bytes(row[0]) == hashlib.sha256(event.token.encode()).digest()
    assert row[1] == event.expires_at.replace(tzinfo=None)
    assert event.expires_at > datetime.now(UTC) + timedelta(hours=23)
    assert old_event not in await waiting(databases["user"])


async def test_a_link_is_made_anew_once(databases: Mapping[str, Database]) -> None:
    await with_link(databases)
    await replay(databases, "user", datetime.now(UTC) - WEEK)
    again = await replay(databases, "user", datetime.now(UTC) - WEEK)
    assert (again.links, again.ended) == (0, 1)
    assert len(await waiting(databases["user"])) == 1


@pytest.mark.parametrize(
    "token",
    [
        {"used_at": ago(hours=1)},
        {"expires_at": ago(hours=-6)},  # a younger link took its place
        {"email": "another@example.com"},
        {"purpose": "RESET_PASSWORD"},
    ],
    ids=["used", "replaced", "of another address", "of another purpose"],
)
async def test_a_link_that_nobody_waits_for_is_skipped(
    databases: Mapping[str, Database], token: Mapping[str, Any]
) -> None:
    """Published again without its token it would end in the dead letter queue."""
    await with_link(databases, **token)
    done = await replay(databases, "user", datetime.now(UTC) - WEEK)
    assert (done.events, done.links, done.ended) == (0, 0, 1)
    assert await waiting(databases["user"]) == set()


async def test_a_link_whose_mail_was_sent_is_left_alone(databases: Mapping[str, Database]) -> None:
    event_id, _ = await with_link(databases)
    await mailed(databases, event_id)
    done = await replay(databases, "user", datetime.now(UTC) - WEEK)
    assert (done.links, done.ended, done.arrived) == (0, 0, 1)

"""The links that would be mailed, read where they wait for the relay."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.clock import now
from tests.integration.user_service.conftest import Served
from tests.shopper import Shopper
from user_service.models import OneTimeToken, User, outbox
from user_service.services.password_resets import ResetAnswers

VERIFY = "EMAIL_VERIFICATION_REQUESTED"
RESET = "PASSWORD_RESET"
OLD, NEW = "password123", "correct horse battery"


async def events_of(app: Served, user_id: str, event_type: str) -> list[dict[str, Any]]:
    """Return the bodies of a user's events of one type, in the order they were written."""
    async with app.database.read() as session:
        rows = await session.execute(
            sa.select(outbox.c.body)
            .where(outbox.c.aggregate_key == user_id, outbox.c.event_type == event_type)
            .order_by(outbox.c.id)
        )
        return [json.loads(row.body)["data"] for row in rows]


async def token_of(app: Served, user_id: str, event_type: str) -> str:
    """Return the token of the newest link."""
    token: str = (await events_of(app, user_id, event_type))[-1]["token"]
    return token


async def answer_requests(app: Served, redis: Redis) -> int:
    """Do what the worker does with requests for reset links."""
    return await ResetAnswers(app.database, redis).answer()


async def forgot(app: Served, email: str) -> httpx2.Response:
    return await app.client.post("/api/auth/password/forgot", json={"email": email})


async def reset(app: Served, token: Any, password: str = NEW) -> httpx2.Response:
    body = {"token": token, "newPassword": password}
    return await app.client.post("/api/auth/password/reset", json=body)


async def reset_token(app: Served, redis: Redis, person: Shopper) -> str:
    await person.http.post("/api/auth/password/forgot", json={"email": person.email})
    await answer_requests(app, redis)
    return await token_of(app, person.user_id, RESET)


async def verify(app: Served, token: Any) -> httpx2.Response:
    return await app.client.post("/api/auth/email/verify", json={"token": token})


async def spoil(app: Served, *, expired: Shopper, suspended: Shopper, deleted: Shopper) -> None:
    """Make the links that three people were mailed bad, each in another way."""
    await change_tokens(app, expired.user_id, expires_at=now())
    await change_user(app, suspended.user_id, status="SUSPENDED")
    await change_user(app, deleted.user_id, status="DELETED")


def assert_refused_alike(answers: Sequence[httpx2.Response]) -> None:
    """Assert that each link was refused, and that nothing tells what is wrong with it."""
    assert {answer.status_code for answer in answers} == {422}
    bodies = [answer.json() | {"requestId": ""} for answer in answers]
    assert bodies[0]["code"] == "one_time_token_invalid"
    assert all(body == bodies[0] for body in bodies)


async def change_user(app: Served, user_id: str, **values: Any) -> None:
    async def work(session: Any) -> None:
        await session.execute(sa.update(User).where(User.id == UUID(user_id)).values(**values))

    await app.database.transact(work)


async def change_tokens(app: Served, user_id: str, **values: Any) -> None:
    async def work(session: Any) -> None:
        statement = sa.update(OneTimeToken).where(OneTimeToken.user_id == UUID(user_id))
        await session.execute(statement.values(**values))

    await app.database.transact(work)

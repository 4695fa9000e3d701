"""A forgotten password: what the answer tells (nothing), and what the link does (once)."""

import hashlib
import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.entering import is_let_in, is_let_out, login
from tests.integration.user_service.mailed import (
    NEW,
    OLD,
    RESET,
    VERIFY,
    answer_requests,
    assert_refused_alike,
    change_user,
    events_of,
    forgot,
    reset,
    reset_token,
    spoil,
    token_of,
)
from tests.shopper import at_once
from tests.waiting import eventually
from user_service.models import OneTimeToken, PasswordResetRequest

SAME_ANSWER_WITHIN_S = 0.005


def nobody() -> str:
    return f"{uuid4().hex}@example.com"


async def test_the_answer_is_the_same_for_everybody(quiet_app: Served) -> None:
    app = quiet_app
    person, suspended = await app.customer(), await app.customer()
    await change_user(app, suspended.user_id, status="SUSPENDED")
    asked = [person.email, suspended.email, nobody(), "' OR 1=1 --", "", "x" * 300]

    answers = [await forgot(app, email) for email in asked]

    assert {(a.status_code, a.text) for a in answers} == {(202, answers[0].text)}
    assert all(email not in answers[0].text for email in asked[:3])


async def test_an_unknown_address_is_answered_as_fast_as_a_known_one(quiet_app: Served) -> None:
    person = await quiet_app.customer()
    took: dict[str, list[float]] = {"known": [], "unknown": []}

    for _ in range(25):
        for name, email in (("known", person.email), ("unknown", nobody())):
            started = time.perf_counter()
            await forgot(quiet_app, email)
            took[name].append(time.perf_counter() - started)

    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) < SAME_ANSWER_WITHIN_S


async def test_only_living_accounts_are_written_to(quiet_app: Served, redis: Redis) -> None:
    app = quiet_app
    people = [await app.customer() for _ in range(3)]
    person, suspended, deleted = people
    await change_user(app, suspended.user_id, status="SUSPENDED")
    await change_user(app, deleted.user_id, status="DELETED")
    for email in (nobody(), f"  {person.email.upper()} ", suspended.email, deleted.email):
        await forgot(app, email)

    await answer_requests(app, redis)

    told = [await events_of(app, one.user_id, RESET) for one in people]
    assert [len(events) for events in told] == [1, 0, 0]
    assert told[0][0]["email"] == person.email
    async with app.database.read() as session:
        left = await session.scalar(sa.select(sa.func.count()).select_from(PasswordResetRequest))
    assert left == 0


async def test_only_a_hash_of_the_token_is_kept_for_an_hour(
    quiet_app: Served, redis: Redis
) -> None:
    person = await quiet_app.customer()
    token = await reset_token(quiet_app, redis, person)

    async with quiet_app.database.read() as session:
        row = await session.scalar(
            sa.select(OneTimeToken).where(OneTimeToken.token_hash == _hash(token))
        )
    assert row is not None
    assert row.expires_at - row.created_at == timedelta(hours=1)
    assert len(token) >= 43  # 256 bits


async def test_each_request_is_answered_once_however_many_workers_there_are(
    quiet_app: Served, redis: Redis
) -> None:
    people = [await quiet_app.customer() for _ in range(4)]
    for person in people:
        await forgot(quiet_app, person.email)

    answered = await at_once(*(answer_requests(quiet_app, redis) for _ in range(3)))

    assert sum(answered) == 4
    for person in people:
        assert len(await events_of(quiet_app, person.user_id, RESET)) == 1


async def test_a_reset_ends_all_sessions_and_proves_the_address(
    quiet_app: Served, redis: Redis
) -> None:
    app = quiet_app
    person = await app.customer()
    elsewhere = (await login(app.client, person.email, OLD)).json()
    token = await reset_token(app, redis, person)

    answer = await reset(app, token)

    assert (answer.status_code, answer.content) == (204, b"")
    for access in (person.token, elsewhere["accessToken"]):
        await eventually(lambda access=access: is_let_out(person, access), timeout_s=1)  # type: ignore[misc]
    for secret in (person.refresh_token, elsewhere["refreshToken"]):
        refreshed = await app.client.post("/api/auth/refresh", json={"refreshToken": secret})
        assert refreshed.status_code == 401
    assert (await login(app.client, person.email, OLD)).status_code == 401
    begun = await login(app.client, person.email, NEW)
    assert begun.json()["user"]["emailVerified"] is True
    assert await is_let_in(person, begun.json()["accessToken"])
    assert len(await events_of(app, person.user_id, "PASSWORD_CHANGED")) == 1
    assert len(await events_of(app, person.user_id, "USER_VERIFIED")) == 1


async def test_a_link_that_is_not_good_answers_alike_whatever_is_wrong_with_it(
    quiet_app: Served, redis: Redis
) -> None:
    app = quiet_app
    people = [await app.customer() for _ in range(6)]
    used, expired, replaced, moved, suspended, deleted = people
    tokens = [await reset_token(app, redis, person) for person in people]
    await reset(app, tokens[0])
    await reset_token(app, redis, replaced)
    await change_user(app, moved.user_id, email=nobody())
    await spoil(app, expired=expired, suspended=suspended, deleted=deleted)
    tokens.append(await token_of(app, used.user_id, VERIFY))
    tokens += [tokens[0][:-1], tokens[0].swapcase(), f" {tokens[0]}", "x", "ü" * 512, "' OR 1=1 --"]

    answers = [await reset(app, token, "never this one") for token in tokens]

    assert_refused_alike(answers)
    assert (await login(app.client, used.email, NEW)).status_code == 200
    assert (await login(app.client, expired.email, OLD)).status_code == 200


async def test_of_five_resets_at_once_with_one_link_one_counts(
    quiet_app: Served, redis: Redis
) -> None:
    person = await quiet_app.customer()
    token = await reset_token(quiet_app, redis, person)
    passwords = [f"the password no {n}" for n in range(5)]

    answers = await at_once(*(reset(quiet_app, token, password) for password in passwords))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 4
    logins = [await login(quiet_app.client, person.email, password) for password in passwords]
    assert [a.status_code == 204 for a in answers] == [a.status_code == 200 for a in logins]
    assert len(await events_of(quiet_app, person.user_id, "PASSWORD_CHANGED")) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x"},
        {"newPassword": NEW},
        {"token": "", "newPassword": NEW},
        {"token": "x" * 513, "newPassword": NEW},
        {"token": ["x"], "newPassword": NEW},
        {"token": 7, "newPassword": NEW},
        {"token": "nul\x00", "newPassword": NEW},
        {"token": "x", "newPassword": "seven77"},
        {"token": "x", "newPassword": NEW, "email": "a@example.com"},
        {"token": "x", "newPassword": NEW, "userId": str(uuid4())},
    ],
    ids=lambda body: ",".join(body) or "empty",
)
async def test_what_is_no_reset_is_refused_without_an_echo(app: Served, body: Any) -> None:
    answer = await app.client.post("/api/auth/password/reset", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert NEW not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": None},
        {"email": 7},
        {"email": ["a@example.com"]},
        {"email": "x" * 321},
        {"email": "a@example.com", "link": "https://evil.example"},
        {"email": "nul\x00@example.com"},
    ],
    ids=["empty", "null", "number", "list", "long", "extra", "nul"],
)
async def test_what_is_no_request_is_refused(app: Served, body: Any) -> None:
    answer = await app.client.post("/api/auth/password/forgot", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_link_points_to_the_shop_whatever_host_was_asked(
    quiet_app: Served, redis: Redis
) -> None:
    person = await quiet_app.customer()

    await quiet_app.client.post(
        "/api/auth/password/forgot",
        json={"email": person.email},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    await answer_requests(quiet_app, redis)

    (event,) = await events_of(quiet_app, person.user_id, RESET)
    assert "evil" not in str(event)


async def test_an_address_is_sent_a_few_links_an_hour_known_or_not(open_quiet_app: Open) -> None:
    app = await open_quiet_app(mail_limit_per_hour=3)
    person = await app.customer()
    unknown = nobody()

    async def asked(email: str, address: str) -> int:
        client = app.client_from(address)
        answer = await client.post("/api/auth/password/forgot", json={"email": email})
        return answer.status_code

    known = [await asked(person.email.upper(), f"2001:db8::{n}") for n in range(4)]
    others = [await asked(unknown, f"2001:db8::{n}") for n in range(4)]

    assert known == others == [202] * 3 + [429]


async def test_a_caller_asks_for_a_limited_number_of_links(open_quiet_app: Open) -> None:
    app = await open_quiet_app(mail_limit_per_hour=1)
    here = app.client_from(f"2001:db8:1::{uuid4().hex[:4]}")
    elsewhere = app.client_from(f"2001:db8:2::{uuid4().hex[:4]}")

    answers = [
        await here.post("/api/auth/password/forgot", json={"email": nobody()}) for _ in range(5)
    ]
    other = await elsewhere.post("/api/auth/password/forgot", json={"email": nobody()})

    assert [answer.status_code for answer in answers] == [202] * 4 + [429]
    assert answers[-1].json()["code"] == "too_many_attempts"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert other.status_code == 202


async def test_redis_may_be_away_while_a_password_is_reset(
    open_quiet_app: Open, redis: Redis
) -> None:
    app = await open_quiet_app(redis_url="redis://127.0.0.1:1/0")
    person = await app.customer()
    token = await reset_token(app, redis, person)

    assert (await reset(app, token)).status_code == 204
    assert (await login(app.client, person.email, NEW)).status_code == 200


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

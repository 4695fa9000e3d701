"""Proving an e-mail address: by the link after registering, and after each change of it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.clock import now
from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.entering import login
from tests.integration.user_service.mailed import (
    OLD,
    RESET,
    VERIFY,
    assert_refused_alike,
    change_tokens,
    events_of,
    reset,
    reset_token,
    spoil,
    token_of,
    verify,
)
from tests.shopper import Shopper, at_once
from user_service.models import OneTimeToken
from user_service.services import one_time_tokens


def an_email() -> str:
    return f"{uuid4().hex}@example.com"


async def move_to(person: Shopper, email: str) -> httpx2.Response:
    body = {"email": email, "currentPassword": OLD}
    return await person.request("PUT", f"/api/users/{person.user_id}", json=body)


async def resend(person: Shopper) -> httpx2.Response:
    return await person.request("POST", "/api/auth/email/resend")


async def profile(person: Shopper) -> Any:
    return (await person.request("GET", f"/api/users/{person.user_id}")).json()


async def test_the_link_sent_after_registering_verifies_the_address(quiet_app: Served) -> None:
    app = quiet_app
    person = await app.customer()
    assert (await profile(person))["emailVerified"] is False
    (request,) = await events_of(app, person.user_id, VERIFY)

    answer = await verify(app, request["token"])

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await profile(person))["emailVerified"] is True
    assert request["email"] == person.email
    assert len(await events_of(app, person.user_id, "USER_VERIFIED")) == 1
    assert len(await events_of(app, person.user_id, "USER_REGISTERED")) == 1


async def test_a_link_that_is_not_good_answers_alike_whatever_is_wrong_with_it(
    quiet_app: Served, redis: Redis
) -> None:
    app = quiet_app
    people = [await app.customer() for _ in range(6)]
    used, expired, replaced, moved, suspended, deleted = people
    tokens = [await token_of(app, person.user_id, VERIFY) for person in people]
    await verify(app, tokens[0])
    await resend(replaced)
    await move_to(moved, an_email())
    await spoil(app, expired=expired, suspended=suspended, deleted=deleted)
    tokens.append(await reset_token(app, redis, used))
    tokens += [tokens[0][:-1], f"{tokens[0]} ", "x", "' OR 1=1 --", "ü" * 512]

    answers = [await verify(app, token) for token in tokens]

    assert_refused_alike(answers)
    assert [(await profile(one))["emailVerified"] for one in (expired, replaced, moved)] == [
        False
    ] * 3


async def test_of_five_clicks_at_once_one_counts(quiet_app: Served) -> None:
    person = await quiet_app.customer()
    token = await token_of(quiet_app, person.user_id, VERIFY)

    answers = await at_once(*(verify(quiet_app, token) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 4
    assert len(await events_of(quiet_app, person.user_id, "USER_VERIFIED")) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": ""},
        {"token": None},
        {"token": 7},
        {"token": "x" * 513},
        {"token": "x", "a": 1},
    ],
    ids=["empty", "blank", "null", "number", "long", "extra"],
)
async def test_what_is_no_verification_is_refused(app: Served, body: Any) -> None:
    answer = await app.client.post("/api/auth/email/verify", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_link_sent_again_works_instead_of_the_first(quiet_app: Served) -> None:
    app = quiet_app
    person = await app.customer()
    first = await token_of(app, person.user_id, VERIFY)

    answer = await resend(person)

    second = await token_of(app, person.user_id, VERIFY)
    assert answer.status_code == 202
    assert first != second
    assert [(await verify(app, token)).status_code for token in (first, second)] == [422, 204]


async def test_links_asked_for_at_once_leave_one_that_works(quiet_app: Served) -> None:
    person = await quiet_app.customer()

    answers = await at_once(*(resend(person) for _ in range(4)))

    assert [answer.status_code for answer in answers] == [202] * 4
    async with quiet_app.database.read() as session:
        count = await session.scalar(
            sa.select(sa.func.count())
            .select_from(OneTimeToken)
            .where(OneTimeToken.email == person.email)
        )
    assert count == 1


async def test_a_verified_address_is_sent_no_more_links(quiet_app: Served) -> None:
    person = await quiet_app.customer()
    await verify(quiet_app, await token_of(quiet_app, person.user_id, VERIFY))

    answer = await resend(person)

    assert (answer.status_code, answer.json()["code"]) == (409, "email_already_verified")
    assert len(await events_of(quiet_app, person.user_id, VERIFY)) == 1


async def test_links_are_sent_again_a_few_times_an_hour(open_quiet_app: Open) -> None:
    app = await open_quiet_app(mail_limit_per_hour=2)
    person, other = await app.customer(), await app.customer()

    statuses = [(await resend(person)).status_code for _ in range(3)]

    assert statuses == [202, 202, 429]
    assert (await resend(other)).status_code == 202


async def test_only_people_with_an_account_ask_for_links(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    headers = {"Authorization": f"Bearer {guest['accessToken']}"}

    by_guest = await app.client.post("/api/auth/email/resend", headers=headers)
    by_nobody = await app.client.post("/api/auth/email/resend")

    assert [by_guest.status_code, by_nobody.status_code] == [404, 401]


async def test_another_address_is_unverified_and_the_old_one_is_told(quiet_app: Served) -> None:
    app = quiet_app
    person = await app.customer()
    old, new = person.email, an_email()
    await verify(app, await token_of(app, person.user_id, VERIFY))

    answer = await move_to(person, new)

    assert (answer.status_code, answer.json()["emailVerified"]) == (200, False)
    (notice,) = await events_of(app, person.user_id, "EMAIL_CHANGED")
    assert notice["email"] == old
    assert new not in str(notice)
    assert (await events_of(app, person.user_id, VERIFY))[-1]["email"] == new
    assert (await verify(app, await token_of(app, person.user_id, VERIFY))).status_code == 204
    assert (await profile(person))["emailVerified"] is True


async def test_whoever_still_reads_the_old_address_cannot_take_the_account_back(
    quiet_app: Served, redis: Redis
) -> None:
    person = await quiet_app.customer()
    token = await reset_token(quiet_app, redis, person)

    await move_to(person, an_email())

    assert (await reset(quiet_app, token)).json()["code"] == "one_time_token_invalid"
    assert len(await events_of(quiet_app, person.user_id, RESET)) == 1


async def test_a_taken_address_sends_no_mail_at_all(quiet_app: Served) -> None:
    app = quiet_app
    person, other = await app.customer(), await app.customer()

    answer = await move_to(person, other.email)

    assert answer.status_code == 409
    assert await events_of(app, person.user_id, "EMAIL_CHANGED") == []
    assert len(await events_of(app, person.user_id, VERIFY)) == 1
    assert (await verify(app, await token_of(app, person.user_id, VERIFY))).status_code == 204, (
        "the old link still works"
    )


async def test_the_same_address_in_another_spelling_changes_nothing(quiet_app: Served) -> None:
    person = await quiet_app.customer()
    await verify(quiet_app, await token_of(quiet_app, person.user_id, VERIFY))

    answer = await move_to(person, f" {person.email.upper()} ")

    assert (answer.status_code, answer.json()["emailVerified"]) == (200, True)
    assert await events_of(quiet_app, person.user_id, "EMAIL_CHANGED") == []


async def test_an_account_cannot_be_used_to_write_to_many_strangers(open_quiet_app: Open) -> None:
    app = await open_quiet_app(mail_limit_per_hour=2)
    person = await app.customer()

    answers = [await move_to(person, an_email()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert len(await events_of(app, person.user_id, VERIFY)) == 3


async def test_old_tokens_are_pruned_and_living_ones_kept(quiet_app: Served) -> None:
    old, living = await quiet_app.customer(), await quiet_app.customer()
    await change_tokens(quiet_app, old.user_id, expires_at=now() - timedelta(days=2))

    await one_time_tokens.prune(quiet_app.database)

    async with quiet_app.database.read() as session:
        found = await session.scalars(
            sa.select(OneTimeToken.email).where(OneTimeToken.email.in_([old.email, living.email]))
        )
    assert found.all() == [living.email]
    assert (await login(quiet_app.client, old.email, OLD)).status_code == 200

"""PUT /api/users/{id}/password: who may change it, and what ends with the old one."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from redis.asyncio import Redis

from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.entering import is_let_in, is_let_out, login
from tests.integration.user_service.mailed import (
    NEW,
    OLD,
    change_user,
    events_of,
    reset,
    reset_token,
)
from tests.production import production
from tests.shopper import Shopper, at_once
from tests.waiting import eventually


async def change(
    person: Shopper, new: Any = NEW, *, current: Any = OLD, **arguments: Any
) -> httpx2.Response:
    body = {"currentPassword": current, "newPassword": new}
    path = f"/api/users/{person.user_id}/password"
    return await person.request("PUT", path, json=body, **arguments)


async def test_the_new_password_counts_and_the_old_one_no_longer(app: Served) -> None:
    person = await app.customer()

    answer = await change(person)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await login(app.client, person.email, OLD)).status_code == 401
    assert (await login(app.client, person.email, NEW)).status_code == 200


async def test_all_other_sessions_end_and_the_callers_lives_on(app: Served) -> None:
    person = await app.customer()
    elsewhere = (await login(app.client, person.email, OLD)).json()
    assert await is_let_in(person, elsewhere["accessToken"])

    await change(person)

    await eventually(lambda: is_let_out(person, elsewhere["accessToken"]), timeout_s=1)
    body = {"refreshToken": elsewhere["refreshToken"]}
    assert (await app.client.post("/api/auth/refresh", json=body)).status_code == 401
    assert await is_let_in(person, person.token)
    own = {"refreshToken": person.refresh_token}
    assert (await app.client.post("/api/auth/refresh", json=own)).status_code == 200


async def test_a_session_renewed_before_stays_the_callers_own(app: Served) -> None:
    person = await app.customer()
    body = {"refreshToken": person.refresh_token}
    renewed = (await app.client.post("/api/auth/refresh", json=body)).json()

    await change(person)

    assert await is_let_in(person, renewed["accessToken"])
    again = {"refreshToken": renewed["refreshToken"]}
    assert (await app.client.post("/api/auth/refresh", json=again)).status_code == 200


async def test_a_wrong_current_password_changes_nothing(app: Served) -> None:
    person = await app.customer()

    answer = await change(person, current="password124")

    assert (answer.status_code, answer.json()["code"]) == (403, "current_password_required")
    assert (await login(app.client, person.email, OLD)).status_code == 200


async def test_the_current_password_cannot_be_guessed_for_long(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.customer()

    statuses = [(await change(person, current=f"guess-{n}")).status_code for n in range(6)]
    right = await change(person)

    assert statuses == [403] * 5 + [429]
    assert (right.status_code, right.json()["code"]) == (429, "too_many_attempts")


async def test_nobody_else_changes_it_also_no_administrator(app: Served) -> None:
    person, other, admin = await app.customer(), await app.customer(), await app.admin()
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    path = f"/api/users/{person.user_id}/password"
    body = {"currentPassword": OLD, "newPassword": NEW}
    as_guest = {"Authorization": f"Bearer {guest['accessToken']}"}

    answers = [
        await other.request("PUT", path, json=body),
        await admin.request("PUT", path, json=body),
        await app.client.put(path, json=body, headers=as_guest),
        await app.client.put(
            f"/api/users/{guest['user']['id']}/password", json=body, headers=as_guest
        ),
        await other.request("PUT", f"/api/users/{uuid4()}/password", json=body),
        await other.request("PUT", "/api/users/me/password", json=body),
        await app.client.put(path, json=body),
    ]

    assert [answer.status_code for answer in answers] == [404] * 6 + [401]
    assert (await login(app.client, person.email, OLD)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"currentPassword": OLD},
        {"newPassword": NEW},
        {"currentPassword": OLD, "newPassword": "seven77"},
        {"currentPassword": OLD, "newPassword": "x" * 1025},
        {"currentPassword": OLD, "newPassword": 1234567890},
        {"currentPassword": OLD, "newPassword": None},
        {"currentPassword": OLD, "newPassword": "nul\x00nul\x00nul"},
        {"currentPassword": "", "newPassword": NEW},
        {"currentPassword": OLD, "newPassword": NEW, "role": "ADMIN"},
        {"currentPassword": OLD, "newPassword": NEW, "email": "a@example.com"},
        [],
    ],
)
async def test_what_is_no_change_is_refused_without_an_echo(app: Served, body: Any) -> None:
    person = await app.customer()

    answer = await person.request("PUT", f"/api/users/{person.user_id}/password", json=body)

    assert answer.status_code == 422, answer.text
    assert OLD not in answer.text
    assert NEW not in answer.text


async def test_a_lone_surrogate_is_no_crash(app: Served) -> None:
    person = await app.customer()
    text = '{"currentPassword": "password123", "newPassword": "\\ud800\\ud800-long-enough"}'

    answer = await person.request(
        "PUT",
        f"/api/users/{person.user_id}/password",
        content=text,
        headers={"Content-Type": "application/json"},
    )

    assert 400 <= answer.status_code < 500


async def test_a_stale_etag_changes_nothing(app: Served) -> None:
    person = await app.customer()

    stale = await change(person, headers={"If-Match": '"7"'})
    current = await change(person, headers={"If-Match": '"1"'})

    assert [stale.status_code, current.status_code] == [412, 204]


async def test_production_refuses_a_common_password_wherever_one_is_chosen(
    open_quiet_app: Open, redis: Redis, tmp_path: Path
) -> None:
    app = await open_quiet_app(**production(tmp_path))
    # From where no other test has used the limits up.
    person = Shopper(app.client_from(f"2001:db8:3::{uuid4().hex[:4]}:{uuid4().hex[:4]}"))
    await person.register(password=NEW)
    await person.login(password=NEW)
    token = await reset_token(app, redis, person)

    for common in ("password123", " Password 2026", "the-shop-123", person.email.upper()):
        body = {"email": person.email, "password": common, "fullName": "Asha Rao"}
        refusals = {
            "/newPassword": await change(person, common, current=NEW),
            "/password": await person.http.post("/api/users", json=body),
        }
        for pointer, answer in refusals.items():
            assert (answer.status_code, answer.json()["code"]) == (422, "common_password")
            assert answer.json()["errors"][0]["pointer"] == pointer
        assert (await reset(app, token, common)).json()["code"] == "common_password"
    assert (await reset(app, token, "another good one")).status_code == 204


async def test_of_two_changes_at_once_one_wins_and_its_session_alone_lives(app: Served) -> None:
    person = await app.customer()
    other = Shopper(person.http, user_id=person.user_id, email=person.email)
    await other.login()

    answers = await at_once(change(person, "first of the two"), change(other, "second of the two"))

    assert sorted(answer.status_code for answer in answers) in ([204, 401], [204, 403])
    lucky, unlucky = (person, other) if answers[0].status_code == 204 else (other, person)
    assert await is_let_in(lucky, lucky.token)
    await eventually(lambda: is_let_out(unlucky, unlucky.token), timeout_s=1)


async def test_no_login_with_the_old_password_outlives_the_change(app: Served) -> None:
    person = await app.customer()

    changed, *logins = await at_once(
        change(person), *(login(app.client, person.email, OLD) for _ in range(8))
    )

    assert changed.status_code == 204
    assert {answer.status_code for answer in logins} <= {200, 401}
    begun = [answer.json()["accessToken"] for answer in logins if answer.status_code == 200]

    async def are_let_out() -> bool:
        return all([await is_let_out(person, token) for token in begun])

    await eventually(are_let_out, timeout_s=1)


async def test_the_owner_is_told_once_and_the_notice_holds_no_password(quiet_app: Served) -> None:
    person = await quiet_app.customer()

    await change(person)
    await change(person, current="wrong-password")

    (notice,) = await events_of(quiet_app, person.user_id, "PASSWORD_CHANGED")
    assert notice["email"] == person.email
    assert set(notice) == {"userId", "email", "fullName"}


async def test_links_to_reset_the_password_end_with_the_change(
    quiet_app: Served, redis: Redis
) -> None:
    person = await quiet_app.customer()
    token = await reset_token(quiet_app, redis, person)

    await change(person)

    assert (await reset(quiet_app, token, "not this one")).status_code == 422
    assert (await login(quiet_app.client, person.email, NEW)).status_code == 200


async def test_a_deleted_accounts_password_is_not_changed(app: Served) -> None:
    person = await app.customer()
    await change_user(app, person.user_id, status="DELETED")

    assert (await change(person)).status_code == 404


async def test_it_changes_while_redis_is_away(open_app: Open) -> None:
    app = await open_app(redis_url="redis://127.0.0.1:1/0")
    person = await app.customer()
    elsewhere = (await login(app.client, person.email, OLD)).json()

    answer = await change(person)

    assert answer.status_code == 204
    body = {"refreshToken": elsewhere["refreshToken"]}
    assert (await app.client.post("/api/auth/refresh", json=body)).status_code == 401

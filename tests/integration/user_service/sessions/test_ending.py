"""Getting out: of one session, of all, and what is forgotten of them."""

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import sqlalchemy as sa

from common_lib.clock import now
from tests.integration.user_service.conftest import Served
from tests.integration.user_service.entering import is_let_in, is_let_out, login, refresh
from tests.integration.user_service.sessions.devices import (
    change_sessions,
    expire_refresh_tokens,
    listed,
    log_in_from,
)
from tests.shopper import at_once
from tests.waiting import eventually
from user_service.models import LoginSession, RefreshToken
from user_service.services.old_sessions import prune


async def test_after_logging_out_nothing_of_the_session_works(app: Served) -> None:
    person = await app.customer()
    renewed = (await refresh(app, person.refresh_token)).json()
    headers = {"Authorization": f"Bearer {renewed['accessToken']}"}

    answer = await app.client.post("/api/auth/logout", headers=headers)

    assert answer.status_code == 204
    await eventually(lambda: is_let_out(person, renewed["accessToken"]), timeout_s=1)
    await eventually(lambda: is_let_out(person, person.token), timeout_s=1)
    assert (await refresh(app, renewed["refreshToken"])).status_code == 401


async def test_logging_out_everywhere_ends_all_sessions(app: Served) -> None:
    person = await app.customer()
    elsewhere = (await login(app.client, person.email, "password123")).json()

    await person.request("POST", "/api/auth/logout-all")

    await eventually(lambda: is_let_out(person, elsewhere["accessToken"]), timeout_s=1)
    assert (await refresh(app, elsewhere["refreshToken"])).status_code == 401


async def rows_of(app: Served, user_id: str) -> tuple[int, int]:
    """Return how many sessions and refresh tokens are kept of a user."""
    async with app.database.read_own_writes() as session:
        counted = [
            await session.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.user_id == UUID(user_id))
            )
            for table in (LoginSession, RefreshToken)
        ]
    return counted[0] or 0, counted[1] or 0


async def test_one_session_is_ended_and_the_others_go_on(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "192.0.2.1", "Phone")
    (there,) = [s["id"] for s in (await listed(person))["items"] if not s["isCurrent"]]

    answers = [
        await person.request("DELETE", f"/api/auth/sessions/{there}"),
        await person.request("DELETE", f"/api/auth/sessions/{there}"),
    ]

    assert [answer.status_code for answer in answers] == [204, 204]
    await eventually(lambda: is_let_out(person, phone.token), timeout_s=1)
    assert (await refresh(app, phone.refresh_token)).status_code == 401
    assert await is_let_in(person, person.token)


async def test_every_token_of_an_ended_session_dies(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "192.0.2.1", "Phone")
    renewed = (await refresh(app, phone.refresh_token)).json()
    (there,) = [s["id"] for s in (await listed(person))["items"] if not s["isCurrent"]]

    await person.request("DELETE", f"/api/auth/sessions/{there}")

    for token in (phone.token, renewed["accessToken"]):
        await eventually(partial(is_let_out, person, token), timeout_s=1)
    assert (await refresh(app, renewed["refreshToken"])).status_code == 401


async def test_the_current_session_may_end_itself(app: Served) -> None:
    person = await app.customer()
    (here,) = (await listed(person))["items"]

    answer = await person.request("DELETE", f"/api/auth/sessions/{here['id']}")

    assert answer.status_code == 204
    await eventually(lambda: is_let_out(person, person.token), timeout_s=1)


async def test_a_session_of_somebody_else_is_not_found(app: Served) -> None:
    person, thief, admin = await app.customer(), await app.customer(), await app.admin()
    (here,) = (await listed(person))["items"]
    path = f"/api/auth/sessions/{here['id']}"

    answers = [
        await thief.request("DELETE", path),
        await admin.request("DELETE", path),
        await thief.request("DELETE", f"/api/auth/sessions/{uuid4()}"),
        await thief.request("DELETE", "/api/auth/sessions/me"),
    ]
    unknown = await app.client.request("DELETE", path)

    assert [answer.status_code for answer in answers] == [404] * 4
    assert unknown.status_code == 401
    assert await is_let_in(person, person.token)


async def test_a_renewal_that_meets_the_end_of_its_session_leaves_no_token_alive(
    app: Served,
) -> None:
    for _ in range(5):
        person = await app.customer()
        (here,) = (await listed(person))["items"]
        end = person.request("DELETE", f"/api/auth/sessions/{here['id']}")

        renewed, ended = await at_once(refresh(app, person.refresh_token), end)

        assert (ended.status_code, renewed.status_code in {200, 401}) == (204, True)
        if renewed.status_code == 200:
            tokens = renewed.json()
            await eventually(partial(is_let_out, person, tokens["accessToken"]), timeout_s=1)
            assert (await refresh(app, tokens["refreshToken"])).status_code == 401


async def test_logging_out_everywhere_empties_the_list(app: Served) -> None:
    person = await app.customer()
    await log_in_from(app, person, "192.0.2.1", "Phone")

    await person.request("POST", "/api/auth/logout-all")

    again = await app.somebody().login(person.email)
    assert [item["isCurrent"] for item in (await listed(again))["items"]] == [True]


async def test_what_ran_out_long_ago_is_forgotten(app: Served) -> None:
    old, person = await app.customer(), await app.customer()
    await expire_refresh_tokens(app, old.user_id)
    await change_sessions(app, old.user_id, expires_at=now())

    await prune(app.database, clock=lambda: now() + timedelta(days=2))
    after_two_days = await rows_of(app, old.user_id)
    await change_sessions(app, person.user_id, expires_at=now() + timedelta(days=60))
    await prune(app.database, clock=lambda: now() + timedelta(days=30, hours=1))

    assert after_two_days == (1, 0)
    assert await rows_of(app, old.user_id) == (0, 0)
    assert (await rows_of(app, person.user_id))[0] == 1

"""A refresh token is exchanged once, and a second use ends its family."""

import pytest

from tests.integration.user_service.conftest import Served
from tests.integration.user_service.entering import is_let_in, is_let_out, login, refresh
from tests.integration.user_service.sessions.devices import expire_refresh_tokens
from tests.shopper import at_once
from tests.waiting import eventually


async def test_a_refresh_token_is_exchanged_for_new_ones(app: Served) -> None:
    person = await app.customer()

    answer = await refresh(app, person.refresh_token)

    body = answer.json()
    assert answer.status_code == 200
    assert body["refreshToken"] != person.refresh_token
    assert body["user"]["id"] == person.user_id
    assert await is_let_in(person, body["accessToken"])


async def test_a_refresh_token_used_twice_ends_its_whole_family(app: Served) -> None:
    person = await app.customer()
    elsewhere = await login(app.client, person.email, "password123")
    second = (await refresh(app, person.refresh_token)).json()

    reused = await refresh(app, person.refresh_token)

    assert (reused.status_code, reused.json()["code"]) == (401, "revoked")
    assert (await refresh(app, second["refreshToken"])).status_code == 401
    await eventually(lambda: is_let_out(person, second["accessToken"]), timeout_s=1)
    await eventually(lambda: is_let_out(person, person.token), timeout_s=1)
    assert await is_let_in(person, elsewhere.json()["accessToken"])


async def test_one_refresh_token_exchanged_at_once_never_makes_two_lines(app: Served) -> None:
    person = await app.customer()

    answers = await at_once(*(refresh(app, person.refresh_token) for _ in range(5)))

    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert (await refresh(app, won[0].json()["refreshToken"])).status_code == 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 2048])
async def test_an_unknown_refresh_token_is_refused(app: Served, token: str) -> None:
    answer = await refresh(app, token)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_an_expired_refresh_token_is_refused(app: Served) -> None:
    person = await app.customer()
    await expire_refresh_tokens(app, person.user_id)

    answer = await refresh(app, person.refresh_token)

    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_a_refresh_token_is_no_access_token_and_the_other_way_round(app: Served) -> None:
    person = await app.customer()
    headers = {"Authorization": f"Bearer {person.refresh_token}"}

    as_access = await app.client.get(f"/api/users/{person.user_id}", headers=headers)
    as_refresh = await refresh(app, person.token)

    assert (as_access.status_code, as_access.json()["code"]) == (401, "wrong_token_type")
    assert as_refresh.status_code == 401

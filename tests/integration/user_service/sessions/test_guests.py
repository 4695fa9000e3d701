"""A guest has tokens and a session, and no account."""

from typing import Any
from uuid import uuid4

import jwt
import pytest

from tests.integration.user_service.conftest import Served
from tests.integration.user_service.entering import refresh
from tests.integration.user_service.sessions.devices import listed
from tests.shopper import Shopper


async def test_a_guest_gets_tokens_without_an_account(app: Served) -> None:
    answer = await app.client.post("/api/auth/guest", json={})

    body = answer.json()
    claims = jwt.decode(body["accessToken"], options={"verify_signature": False})
    assert answer.status_code == 201
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert (body["user"]["role"], body["user"]["email"]) == ("GUEST", None)
    assert (claims["role"], claims["sub"]) == ("GUEST", body["user"]["id"])


async def test_a_guest_stays_the_same_guest_after_refreshing(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()

    renewed = await refresh(app, guest["refreshToken"])

    assert renewed.json()["user"]["id"] == guest["user"]["id"]
    assert renewed.json()["user"]["role"] == "GUEST"


async def test_a_guest_has_no_profile_and_no_addresses(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    path = f"/api/users/{guest['user']['id']}"
    headers = {"Authorization": f"Bearer {guest['accessToken']}"}

    answers = [
        await app.client.get(path, headers=headers),
        await app.client.get(f"{path}/addresses", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize("body", [{"role": "ADMIN"}, {"userId": str(uuid4())}])
async def test_a_guest_cannot_choose_who_to_be(app: Served, body: dict[str, Any]) -> None:
    assert (await app.client.post("/api/auth/guest", json=body)).status_code == 422


async def test_a_guest_sees_the_guests_own_session(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    person = Shopper(app.client, token=guest["accessToken"])

    (only,) = (await listed(person))["items"]
    ended = await person.request("DELETE", f"/api/auth/sessions/{only['id']}")

    assert (only["isCurrent"], ended.status_code) == (True, 204)

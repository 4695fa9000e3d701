"""The list of one's sessions: each device once, the newest first."""

import pytest

from common_lib.clock import now
from tests.integration.user_service.conftest import Served
from tests.integration.user_service.sessions.devices import change_sessions, listed, log_in_from


async def test_the_list_shows_each_device_the_newest_first(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "198.51.100.4", "ShopApp/2.1 (Phone)")

    page = await listed(phone)

    newest, oldest = page["items"]
    assert page["nextCursor"] is None
    assert (newest["ipAddress"], newest["userAgent"]) == ("198.51.100.4", "ShopApp/2.1 (Phone)")
    assert (newest["isCurrent"], oldest["isCurrent"]) == (True, False)
    assert newest["createdAt"] == newest["lastUsedAt"] < newest["expiresAt"]
    assert set(newest) == {
        "id",
        "userAgent",
        "ipAddress",
        "isCurrent",
        "createdAt",
        "lastUsedAt",
        "expiresAt",
    }


async def test_a_renewal_moves_the_device_and_stays_one_session(app: Served) -> None:
    person = await app.customer()
    (before,) = (await listed(person))["items"]
    moved = app.client_from("198.51.100.5")

    renewed = await moved.post(
        "/api/auth/refresh",
        json={"refreshToken": person.refresh_token},
        headers={"User-Agent": "Other/1.0"},
    )

    person.token = renewed.json()["accessToken"]
    (after,) = (await listed(person))["items"]
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])
    assert (after["ipAddress"], after["userAgent"]) == ("198.51.100.5", "Other/1.0")
    assert after["lastUsedAt"] > before["lastUsedAt"]
    assert after["isCurrent"]


async def test_a_user_agent_of_any_length_and_content_is_taken(app: Served) -> None:
    person = await app.somebody().register()
    device = await log_in_from(app, person, "192.0.2.3", "<script>\t" + "x" * 2000)

    (shown,) = (await listed(device))["items"]

    assert shown["userAgent"].startswith("<script>")
    assert len(shown["userAgent"]) == 255


async def test_the_list_comes_in_pages_that_new_logins_do_not_disturb(app: Served) -> None:
    person = await app.customer()
    for n in range(4):
        await log_in_from(app, person, f"192.0.2.{n}", "Phone")
    whole = [item["id"] for item in (await listed(person))["items"]]

    first = await person.request("GET", "/api/auth/sessions?limit=2")
    await log_in_from(app, person, "192.0.2.9", "Phone")
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    second = (await person.request("GET", following)).json()
    last = await listed(person, f"?limit=2&cursor={second['nextCursor']}")

    pages = [*first.json()["items"], *second["items"], *last["items"]]
    assert [item["id"] for item in pages] == whole
    assert last["nextCursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=nonsense"])
async def test_a_page_that_cannot_be_is_refused(app: Served, query: str) -> None:
    person = await app.customer()

    assert (await person.request("GET", f"/api/auth/sessions?{query}")).status_code == 422


async def test_only_sessions_that_are_alive_are_listed(app: Served) -> None:
    person = await app.customer()
    ended = await log_in_from(app, person, "192.0.2.1", "Phone")
    await ended.request("POST", "/api/auth/logout")

    (only,) = (await listed(person))["items"]
    await change_sessions(app, person.user_id, expires_at=now())

    assert only["isCurrent"]
    assert (await listed(person))["items"] == []

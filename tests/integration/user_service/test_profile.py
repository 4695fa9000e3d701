"""GET and PUT /api/users/{id}, and what administrators change."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.user_service.conftest import Open, Served
from tests.shopper import Shopper, at_once
from tests.waiting import eventually
from user_service.schemas.enums import UserRole


async def put(person: Shopper, body: dict[str, Any], **arguments: Any) -> Any:
    return await person.request("PUT", f"/api/users/{person.user_id}", json=body, **arguments)


async def test_the_profile_is_shown_to_its_owner_and_to_administrators(app: Served) -> None:
    person, admin = await app.customer(), await app.admin()

    own = await person.request("GET", f"/api/users/{person.user_id}")
    seen = await admin.request("GET", f"/api/users/{person.user_id}")

    assert own.json() == seen.json()
    assert own.json()["email"] == person.email
    assert own.headers["etag"] == '"1"'
    assert "password" not in own.text


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_anothers_profile_looks_like_an_unknown_one(app: Served, method: str) -> None:
    person, other = await app.customer(), await app.customer()
    arguments = {"json": {"fullName": "Mallory"}} if method == "PUT" else {}

    anothers = await person.request(method, f"/api/users/{other.user_id}", **arguments)
    unknown = await person.request(method, f"/api/users/{uuid4()}", **arguments)
    malformed = await person.request(method, "/api/users/1%20OR%201=1", **arguments)

    assert [a.status_code for a in (anothers, unknown, malformed)] == [404] * 3
    assert anothers.json() | {"requestId": ""} == unknown.json() | {"requestId": ""}


async def test_without_a_token_nothing_is_shown(app: Served) -> None:
    answer = await app.client.get(f"/api/users/{uuid4()}")

    assert answer.status_code == 401
    assert answer.json()["code"] == "auth_required"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_members_left_out_stay_and_null_clears_the_phone(app: Served) -> None:
    person = app.somebody()
    await person.register(phone="+919812345678")
    await person.login()

    renamed = await put(person, {"fullName": "New Name"})
    cleared = await put(person, {"phone": None})

    assert renamed.json()["fullName"] == "New Name"
    assert renamed.json()["phone"] == "+919812345678"
    assert renamed.headers["etag"] == '"2"'
    assert cleared.json()["phone"] is None
    assert cleared.json()["fullName"] == "New Name"


@pytest.mark.parametrize("if_match", ['"7"', 'W/"1"', "1", '""', "garbage", '"99999999999"'])
async def test_a_stale_or_foreign_etag_changes_nothing(app: Served, if_match: str) -> None:
    person = await app.customer()

    answer = await put(person, {"fullName": "Lost"}, headers={"If-Match": if_match})

    assert answer.status_code == 412
    assert answer.json()["code"] == "precondition_failed"
    shown = await person.request("GET", f"/api/users/{person.user_id}")
    assert shown.json()["fullName"] != "Lost"


@pytest.mark.parametrize("if_match", ['"1"', "*", '"7", "1"'])
async def test_the_current_etag_is_accepted(app: Served, if_match: str) -> None:
    person = await app.customer()

    answer = await put(person, {"fullName": "Kept"}, headers={"If-Match": if_match})

    assert answer.status_code == 200


async def test_of_ten_writers_with_one_etag_one_wins(app: Served) -> None:
    person = await app.customer()
    match = {"If-Match": '"1"'}

    answers = await at_once(
        *(put(person, {"fullName": f"Writer {n}"}, headers=match) for n in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_a_new_address_needs_the_current_password(app: Served) -> None:
    person = await app.customer()
    email = f"{uuid4().hex}@example.com"

    without = await put(person, {"email": email})
    wrong = await put(person, {"email": email, "currentPassword": "password124"})
    same = await put(person, {"email": person.email.upper()})
    right = await put(person, {"email": email.upper(), "currentPassword": "password123"})

    assert [a.status_code for a in (without, wrong, same, right)] == [403, 403, 200, 200]
    assert right.json()["email"] == email


async def test_the_current_password_cannot_be_guessed_for_long(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.customer()
    email = f"{uuid4().hex}@example.com"

    statuses = [
        (await put(person, {"email": email, "currentPassword": f"guess-{n}"})).status_code
        for n in range(6)
    ]

    assert statuses == [403] * 5 + [429]


async def test_a_taken_address_cannot_be_taken_over(app: Served) -> None:
    person, other = await app.customer(), await app.customer()

    answer = await put(person, {"email": other.email, "currentPassword": "password123"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"


@pytest.mark.parametrize("extra", [{"role": "ADMIN"}, {"status": "ACTIVE"}, {"version": 9}])
async def test_nobody_raises_themselves(app: Served, extra: dict[str, Any]) -> None:
    person = await app.customer()

    answer = await put(person, {"fullName": "Me"} | extra)

    assert answer.status_code == 422


async def test_only_administrators_set_roles_and_statuses(app: Served) -> None:
    person, other = await app.customer(), await app.customer()

    answers = [
        await person.request("PATCH", f"/api/users/{other.user_id}/role", json={"role": "ADMIN"}),
        await person.request("PATCH", f"/api/users/{person.user_id}/role", json={"role": "ADMIN"}),
        await person.request(
            "PATCH", f"/api/users/{other.user_id}/status", json={"status": "SUSPENDED"}
        ),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3


async def test_a_demoted_administrators_token_loses_its_power_within_a_second(app: Served) -> None:
    boss, fallen, victim = await app.admin(), await app.admin(), await app.customer()
    path = f"/api/users/{victim.user_id}/role"
    before = await fallen.request("PATCH", path, json={"role": "SELLER"})

    await boss.request("PATCH", f"/api/users/{fallen.user_id}/role", json={"role": "CUSTOMER"})

    async def is_refused() -> bool:
        answer = await fallen.request("PATCH", path, json={"role": "CUSTOMER"})
        return answer.status_code == 403

    assert before.status_code == 200
    await eventually(is_refused, timeout_s=1)


async def test_a_new_role_reaches_living_tokens_within_a_second(app: Served) -> None:
    admin, risen, other = await app.admin(), await app.customer(), await app.customer()

    await admin.request("PATCH", f"/api/users/{risen.user_id}/role", json={"role": "ADMIN"})

    async def is_admitted() -> bool:
        answer = await risen.request("GET", f"/api/users/{other.user_id}")
        return answer.status_code == 200

    await eventually(is_admitted, timeout_s=1)


async def test_a_suspended_users_tokens_and_logins_end_within_a_second(app: Served) -> None:
    admin, person = await app.admin(), await app.customer()
    path = f"/api/users/{person.user_id}"

    await admin.request("PATCH", f"{path}/status", json={"status": "SUSPENDED"})

    async def is_out() -> bool:
        return (await person.request("GET", path)).status_code == 401

    await eventually(is_out, timeout_s=1)
    credentials = {"email": person.email, "password": "password123"}
    login = await app.client.post("/api/auth/login", json=credentials)
    refresh = await app.client.post(
        "/api/auth/refresh", json={"refreshToken": person.refresh_token}
    )
    assert (login.status_code, login.json()["code"]) == (403, "account_suspended")
    assert (refresh.status_code, refresh.json()["code"]) == (401, "revoked")


async def test_a_reinstated_user_logs_in_again_but_old_tokens_stay_dead(app: Served) -> None:
    admin, person = await app.admin(), await app.customer()
    path = f"/api/users/{person.user_id}"
    await admin.request("PATCH", f"{path}/status", json={"status": "SUSPENDED"})
    old_token = person.token

    await admin.request("PATCH", f"{path}/status", json={"status": "ACTIVE"})

    await person.login()

    async def is_in() -> bool:
        return (await person.request("GET", path)).status_code == 200

    await eventually(is_in, timeout_s=1)
    old = await app.client.get(path, headers={"Authorization": f"Bearer {old_token}"})
    assert old.status_code == 401


async def test_an_administrator_cannot_change_the_own_role_or_status(app: Served) -> None:
    admin = await app.admin()
    path = f"/api/users/{admin.user_id}"

    role = await admin.request("PATCH", f"{path}/role", json={"role": "CUSTOMER"})
    status = await admin.request("PATCH", f"{path}/status", json={"status": "SUSPENDED"})

    assert [role.json()["code"], status.json()["code"]] == ["own_account"] * 2


@pytest.mark.parametrize("body", [{"role": "GUEST"}, {"role": "ROOT"}, {"role": 1}, {}])
async def test_an_unknown_role_is_refused(app: Served, body: dict[str, Any]) -> None:
    admin, person = await app.admin(), await app.customer()

    answer = await admin.request("PATCH", f"/api/users/{person.user_id}/role", json=body)

    assert answer.status_code == 422


async def test_an_account_is_not_deleted_by_its_status(app: Served) -> None:
    admin, person = await app.admin(), await app.customer()
    path = f"/api/users/{person.user_id}/status"

    answer = await admin.request("PATCH", path, json={"status": "DELETED"})

    assert (answer.status_code, answer.json()["code"]) == (422, "status_not_settable")


async def test_a_role_given_twice_changes_once(app: Served) -> None:
    admin, person = await app.admin(), await app.customer()
    path = f"/api/users/{person.user_id}"

    for _ in range(2):
        await admin.request("PATCH", f"{path}/role", json={"role": UserRole.SELLER.value})

    shown = await admin.request("GET", path)
    assert shown.json()["role"] == "SELLER"
    assert shown.headers["etag"] == '"2"'

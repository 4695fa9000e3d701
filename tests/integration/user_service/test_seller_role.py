"""The catalog asks that the owner of a store becomes a seller."""

from typing import Any
from uuid import UUID

import httpx2
import pytest
from redis.asyncio import Redis

from common_lib.auth import Principal, Role, Sessions
from common_lib.clock import now
from common_lib.ids import UserId, new_id
from tests.integration.user_service.conftest import Served
from tests.shopper import Shopper
from user_service.schemas.enums import UserRole


async def ask(app: Served, user_id: str, service: str = "catalog-service") -> httpx2.Response:
    headers = app.service_headers(service)
    return await app.client.put(f"/internal/users/{user_id}/seller", headers=headers)


async def shown_role(person: Shopper) -> Any:
    return (await person.request("GET", f"/api/users/{person.user_id}")).json()["role"]


async def test_a_customer_becomes_a_seller_once(app: Served) -> None:
    person = await app.customer()
    for _ in range(2):
        answer = await ask(app, person.user_id)
        assert (answer.status_code, answer.json()) == (
            200,
            {"userId": person.user_id, "role": "SELLER"},
        )
    profile = await person.request("GET", f"/api/users/{person.user_id}")
    assert (profile.json()["role"], profile.headers["etag"]) == ("SELLER", '"2"')


async def test_the_living_token_sells_at_once(app: Served, redis: Redis) -> None:
    person = await app.customer()
    at = int(now().timestamp())
    token = Principal(UserId(UUID(person.user_id)), Role.CUSTOMER, "session", at, at + 60)
    await ask(app, person.user_id)
    assert (await Sessions(redis).current(token)).role is Role.SELLER


async def test_an_administrator_stays_one(app: Served) -> None:
    admin = await app.admin()
    answer = await ask(app, admin.user_id)
    assert (answer.status_code, answer.json()["role"]) == (200, "ADMIN")
    assert await shown_role(admin) == "ADMIN"


async def test_nobody_is_made_a_seller_who_is_not_there(app: Served) -> None:
    for user_id in (str(new_id()), "x"):
        answer = await ask(app, user_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("service", ["order-service", "nobody"])
async def test_no_other_service_makes_sellers(app: Served, service: str) -> None:
    person = await app.customer()
    answer = await ask(app, person.user_id, service)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
    assert await shown_role(person) == UserRole.CUSTOMER.value


async def test_people_make_no_sellers(app: Served) -> None:
    person, boss = await app.customer(), await app.admin()
    path = f"/internal/users/{person.user_id}/seller"
    assert (await app.client.put(path)).status_code == 401
    for caller in (person, boss):
        answer = await caller.request("PUT", path)
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_token_type")
    assert await shown_role(person) == UserRole.CUSTOMER.value


async def test_a_suspended_account_gets_the_role_and_stays_suspended(app: Served) -> None:
    person, boss = await app.customer(), await app.admin()
    path = f"/api/users/{person.user_id}"
    await boss.request("PATCH", f"{path}/status", json={"status": "SUSPENDED"})
    assert (await ask(app, person.user_id)).json()["role"] == "SELLER"
    assert (await person.request("GET", path)).status_code == 401

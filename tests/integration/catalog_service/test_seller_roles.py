"""The owner of a store that opened becomes a seller, now or as soon as it can be told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from catalog_service.clients.users import RoleNotGranted, UserClient
from catalog_service.models import SellerStatus
from catalog_service.services.seller_roles import SellerRoles
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.errors import NotFound, Unavailable
from common_lib.http_client import HttpClient
from common_lib.ids import new_id
from shop.stack.native import NativeStack
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.test_sellers import apply, decide
from tests.integration.user_service.conftest import user_settings
from tests.serving import free_port, served
from tests.shopper import Shopper
from tests.waiting import eventually
from user_service.main import build_app


class FakeUsers(UserClient):
    """Makes sellers, or fails as told: for all users, or for one."""

    def __init__(self, failure: Exception | None = None, only_for: UUID | None = None) -> None:
        super().__init__(HttpClient("user-service", ["http://user.example"]))
        self.failure = failure
        self.only_for = only_for
        self.sellers: list[UUID] = []

    async def make_seller(self, user_id: UUID) -> None:
        if self.failure is not None and self.only_for in {None, user_id}:
            raise self.failure
        self.sellers.append(user_id)


def roles(catalog: Catalog, users: UserClient, *, after_s: float = 0) -> SellerRoles:
    def then() -> datetime:
        return now() + timedelta(seconds=after_s)

    return SellerRoles(catalog.database, users, lease_s=5, clock=then)


async def owed(catalog: Catalog, seller_id: UUID) -> bool:
    query = sa.text("SELECT role_due_at IS NOT NULL FROM sellers WHERE id = :id")
    return bool((await catalog.rows(query, id=seller_id.bytes))[0][0])


@pytest.fixture
async def alone(open_catalog: OpenCatalog) -> Catalog:
    """Return a catalog that finds no user service."""
    return await open_catalog(user_url="http://127.0.0.1:1")


async def opened(catalog: Catalog) -> tuple[UUID, UUID]:
    """Return the ids of a store just approved and of its owner."""
    seller_id, user_id = await catalog.seller(SellerStatus.PENDING)
    assert (await decide(catalog, seller_id, "ACTIVE")).status_code == 200
    return seller_id, user_id


async def test_with_the_user_service_away_the_store_opens_and_the_role_is_owed(
    alone: Catalog,
) -> None:
    seller_id, user_id = await opened(alone)
    assert await owed(alone, seller_id)
    users = FakeUsers()
    await roles(alone, users).drain()
    assert user_id in users.sellers
    assert not await owed(alone, seller_id)


async def test_a_role_is_granted_once(alone: Catalog) -> None:
    _, user_id = await opened(alone)
    users = FakeUsers()
    for after_s in (0, 60):
        await roles(alone, users, after_s=after_s).drain()
    assert users.sellers.count(user_id) == 1


async def test_a_failed_grant_is_tried_again_after_a_while(alone: Catalog) -> None:
    seller_id, user_id = await opened(alone)
    users = FakeUsers(Unavailable())
    assert await roles(alone, users).drain() == 0
    users.failure = None
    await roles(alone, users, after_s=4).drain()
    assert user_id not in users.sellers
    await roles(alone, users, after_s=6).drain()
    assert user_id in users.sellers
    assert not await owed(alone, seller_id)


async def test_one_that_is_refused_does_not_stop_the_others(alone: Catalog) -> None:
    (first, first_user), (second, second_user) = await opened(alone), await opened(alone)
    users = FakeUsers(RoleNotGranted(), only_for=first_user)
    await roles(alone, users).drain()
    assert second_user in users.sellers
    assert [await owed(alone, each) for each in (first, second)] == [True, False]


async def test_an_account_that_is_gone_ends_the_duty(alone: Catalog) -> None:
    seller_id, _ = await opened(alone)
    await roles(alone, FakeUsers(NotFound())).drain()
    assert not await owed(alone, seller_id)


async def test_a_store_suspended_meanwhile_owes_nothing(alone: Catalog) -> None:
    seller_id, user_id = await opened(alone)
    await decide(alone, seller_id, "SUSPENDED")
    users = FakeUsers()
    await roles(alone, users).drain()
    assert user_id not in users.sellers
    await decide(alone, seller_id, "ACTIVE")
    await roles(alone, users).drain()
    assert user_id in users.sellers


async def test_a_duty_that_came_up_again_is_not_struck_off_by_the_first_answer(
    alone: Catalog,
) -> None:
    seller_id, owner = await opened(alone)

    class Slow(FakeUsers):
        async def make_seller(self, user_id: UUID) -> None:
            if not self.sellers.count(owner):
                await decide(alone, seller_id, "SUSPENDED")
                await decide(alone, seller_id, "ACTIVE")
            await super().make_seller(user_id)

    users = Slow()
    await roles(alone, users).drain()
    assert users.sellers.count(owner) == 2
    assert not await owed(alone, seller_id)


async def test_two_workers_grant_each_role_once(alone: Catalog) -> None:
    owners = {(await opened(alone))[1] for _ in range(6)}
    users = FakeUsers()
    workers = [roles(alone, users) for _ in range(2)]
    await asyncio.gather(*(worker.drain() for worker in workers))
    assert sorted(u for u in users.sellers if u in owners) == sorted(owners)


@asynccontextmanager
async def user_service(parts: NativeStack, port: int) -> AsyncIterator[Shopper]:
    """Serve the real one for as long as the block lasts; yields somebody who talks to it."""
    async with (
        served(build_app(user_settings(parts)), port) as url,
        httpx2.AsyncClient(base_url=url) as http,
    ):
        yield Shopper(http)


async def listing(catalog: Catalog, headers: dict[str, str]) -> httpx2.Response:
    """Try to list a product."""
    variant: dict[str, Any] = {
        "sku": f"SKU-{new_id().hex}",
        "name": "M",
        "price": {"amount": 1, "currency": "INR"},
        "quantity": 1,
    }
    body = {
        "name": "Kurta",
        "description": "",
        "categoryId": str(await catalog.category()),
        "variants": [variant],
    }
    return await catalog.client.post("/api/products", json=body, headers=headers)


async def test_an_approved_applicant_sells_with_the_token_at_hand(
    open_catalog: OpenCatalog, parts: NativeStack
) -> None:
    port = free_port()
    # The one Redis of both, where the new role overrides that of tokens signed before.
    catalog = await open_catalog(
        user_url=f"http://127.0.0.1:{port}", redis_url=parts.layout.redis_url
    )
    async with user_service(parts, port) as person:
        await (await person.register()).login()
        headers = catalog.bearer(Role.CUSTOMER, UUID(person.user_id))
        store = (await apply(catalog, headers)).json()
        assert (await listing(catalog, headers)).json()["code"] == "role_not_allowed"
        await decide(catalog, store["id"], "ACTIVE")
        assert not await owed(catalog, UUID(store["id"]))

        async def sells() -> bool:
            return (await listing(catalog, headers)).status_code == 201

        await eventually(sells, timeout_s=1)
        shown = await person.request("GET", f"/api/users/{person.user_id}")
        assert shown.json()["role"] == "SELLER"


async def test_with_the_user_service_back_the_role_is_granted_after_all(
    open_catalog: OpenCatalog, parts: NativeStack
) -> None:
    async with user_service(parts, free_port()) as before:
        await before.register()
    port = free_port()
    catalog = await open_catalog(user_url=f"http://127.0.0.1:{port}")
    headers = catalog.bearer(Role.CUSTOMER, UUID(before.user_id))
    store = (await apply(catalog, headers)).json()
    assert (await decide(catalog, store["id"], "ACTIVE")).json()["status"] == "ACTIVE"
    assert await owed(catalog, UUID(store["id"]))
    async with user_service(parts, port) as after:
        await roles(catalog, catalog.deps.seller_roles.users, after_s=60).drain()
        await after.login(before.email)
        shown = await after.request("GET", f"/api/users/{after.user_id}")
        assert shown.json()["role"] == "SELLER"
    assert not await owed(catalog, UUID(store["id"]))

"""A suspended store's products leave the shop, and those and no others come back with it."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus, SellerStatus
from catalog_service.models.reservations import UnknownVariant
from catalog_service.services import sellers
from catalog_service.services.shelf_keeper import ShelfKeeper
from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.test_sellers import decide
from tests.waiting import eventually


@dataclass(frozen=True)
class State:
    status: str
    is_hidden: bool
    version: int


async def state(catalog: Catalog, product_id: UUID) -> State:
    query = sa.text("SELECT status, hidden_at IS NOT NULL, version FROM products WHERE id = :id")
    status, is_hidden, version = (await catalog.rows(query, id=product_id.bytes))[0]
    return State(status, bool(is_hidden), version)


async def products(
    catalog: Catalog, seller_id: UUID, n: int, status: ProductStatus = ProductStatus.ACTIVE
) -> list[UUID]:
    variants = [await catalog.variant(5, seller_id=seller_id, status=status) for _ in range(n)]
    return [await catalog.product_of(variant) for variant in variants]


async def page(catalog: Catalog, product_id: UUID) -> int:
    return (await catalog.client.get(f"/api/products/{product_id}")).status_code


async def edit(catalog: Catalog, user_id: UUID, product_id: UUID, status: str) -> tuple[int, Any]:
    headers = catalog.bearer(Role.SELLER, user_id)
    path = f"/api/products/{product_id}"
    shown = (await catalog.client.get(path, headers=headers)).json()
    body = {name: shown[name] for name in ("name", "description", "categoryId")}
    answer = await catalog.client.put(path, json=body | {"status": status}, headers=headers)
    return answer.status_code, answer.json().get("code")


def keeper(catalog: Catalog, chunk: int = 100) -> ShelfKeeper:
    return replace(catalog.deps.shelf_keeper, chunk=chunk)


async def test_suspending_hides_what_is_on_sale_and_nothing_else(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    (sold,) = await products(catalog, seller_id, 1)
    (draft,) = await products(catalog, seller_id, 1, ProductStatus.DRAFT)
    (old,) = await products(catalog, seller_id, 1, ProductStatus.ARCHIVED)
    (foreign,) = await products(catalog, (await catalog.seller())[0], 1)
    await decide(catalog, seller_id, "SUSPENDED")
    assert await state(catalog, sold) == State("ARCHIVED", True, 2)
    assert await state(catalog, draft) == State("DRAFT", False, 1)
    assert await state(catalog, old) == State("ARCHIVED", False, 1)
    assert await state(catalog, foreign) == State("ACTIVE", False, 1)
    assert await catalog.events(sold) == ["PRODUCT_UPDATED"]


async def test_reinstating_brings_back_exactly_what_was_hidden(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    (sold,) = await products(catalog, seller_id, 1)
    (draft,) = await products(catalog, seller_id, 1, ProductStatus.DRAFT)
    (old,) = await products(catalog, seller_id, 1, ProductStatus.ARCHIVED)
    await decide(catalog, seller_id, "SUSPENDED")
    await decide(catalog, seller_id, "ACTIVE")
    assert await state(catalog, sold) == State("ACTIVE", False, 3)
    assert await state(catalog, draft) == State("DRAFT", False, 1)
    assert await state(catalog, old) == State("ARCHIVED", False, 1)
    assert await catalog.events(sold) == ["PRODUCT_UPDATED"] * 2


async def test_a_hidden_products_page_is_gone_everywhere_within_a_second(
    open_catalog: OpenCatalog,
) -> None:
    here, there = await open_catalog(), await open_catalog()
    seller_id, _ = await here.seller()
    (product,) = await products(here, seller_id, 1)
    assert [await page(here, product), await page(there, product)] == [200, 200]
    await decide(here, seller_id, "SUSPENDED")
    assert await page(here, product) == 404

    async def is_gone() -> bool:
        return await page(there, product) == 404

    await eventually(is_gone, timeout_s=1)
    await decide(here, seller_id, "ACTIVE")

    async def is_back() -> bool:
        return [await page(here, product), await page(there, product)] == [200, 200]

    await eventually(is_back, timeout_s=1)


async def test_nothing_is_sold_between_the_suspension_and_the_hiding(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    await sellers.set_status(catalog.database, seller_id, SellerStatus.SUSPENDED)
    with pytest.raises(UnknownVariant):
        await catalog.reserve((variant, 1))
    assert (await catalog.shelf(variant)).reserved == 0


async def test_a_crash_after_the_commit_is_put_right_by_the_next_round(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    (product,) = await products(catalog, seller_id, 1)
    await sellers.set_status(catalog.database, seller_id, SellerStatus.SUSPENDED)
    assert (await state(catalog, product)).status == "ACTIVE"
    await keeper(catalog).keep()
    assert await state(catalog, product) == State("ARCHIVED", True, 2)
    await sellers.set_status(catalog.database, seller_id, SellerStatus.ACTIVE)
    await keeper(catalog).keep()
    assert await state(catalog, product) == State("ACTIVE", False, 3)
    await keeper(catalog).keep()
    assert (await state(catalog, product)).version == 3


async def test_a_large_store_is_moved_chunk_by_chunk(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    mine = await products(catalog, seller_id, 5)
    await sellers.set_status(catalog.database, seller_id, SellerStatus.SUSPENDED)
    await keeper(catalog, chunk=2).try_for(seller_id)
    states = [await state(catalog, product) for product in mine]
    assert [each.is_hidden for each in states] == [True, True, False, False, False]
    assert await keeper(catalog, chunk=2).keep() >= 3
    assert {await state(catalog, product) for product in mine} == {State("ARCHIVED", True, 2)}


async def test_two_workers_move_each_product_once(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    seller_id, _ = await here.seller()
    mine = await products(here, seller_id, 6)
    await sellers.set_status(here.database, seller_id, SellerStatus.SUSPENDED)
    await asyncio.gather(*(keeper(each, chunk=2).keep() for each in (here, there)))
    assert {await state(here, product) for product in mine} == {State("ARCHIVED", True, 2)}


async def test_what_its_seller_archived_meanwhile_stays_archived(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    (product,) = await products(catalog, seller_id, 1)
    await decide(catalog, seller_id, "SUSPENDED")
    assert (await edit(catalog, user_id, product, "ARCHIVED"))[0] == 200
    await decide(catalog, seller_id, "ACTIVE")
    assert (await state(catalog, product)).status == "ARCHIVED"


async def test_a_suspended_seller_publishes_nothing(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    (draft,) = await products(catalog, seller_id, 1, ProductStatus.DRAFT)
    (sold,) = await products(catalog, seller_id, 1)
    await decide(catalog, seller_id, "SUSPENDED")
    for product in (draft, sold):
        assert await edit(catalog, user_id, product, "ACTIVE") == (403, "seller_not_active")
    assert (await state(catalog, sold)).is_hidden


async def test_what_has_nothing_left_to_buy_stays_archived(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    first, second = await products(catalog, seller_id, 2)
    await decide(catalog, seller_id, "SUSPENDED")
    query = sa.text("UPDATE product_variants SET is_active = 0 WHERE product_id = :id")
    async with catalog.database.connection() as connection:
        await connection.execute(query, {"id": first.bytes})
        await connection.commit()
    await decide(catalog, seller_id, "ACTIVE")
    assert await state(catalog, first) == State("ARCHIVED", False, 3)
    assert await state(catalog, second) == State("ACTIVE", False, 3)


async def test_turning_flags_at_once_ends_as_the_store_says(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    seller_id, _ = await here.seller()
    mine = await products(here, seller_id, 3)
    turns = [
        decide(each, seller_id, status)
        for each, status in zip([here, there] * 4, ["SUSPENDED", "ACTIVE"] * 4, strict=True)
    ]
    assert {answer.status_code for answer in await asyncio.gather(*turns)} == {200}
    await keeper(here).keep()
    async with here.database.read_own_writes() as session:
        query = sa.text("SELECT status FROM sellers WHERE id = :id")
        status = (await session.execute(query, {"id": seller_id.bytes})).scalar()
    is_open = status == "ACTIVE"
    states = {(s.status, s.is_hidden) for s in [await state(here, each) for each in mine]}
    assert states == {("ACTIVE", False) if is_open else ("ARCHIVED", True)}

"""What is at or below its reorder level, for those who keep the shelf."""

from typing import Any

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus
from catalog_service.queries.inventory import low_stock
from common_lib.auth import Role
from common_lib.database import ReadSession
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.shelves import adjusted


async def low(catalog: Catalog, headers: dict[str, str], **params: Any) -> list[str]:
    answer = await catalog.client.get(
        "/api/inventory/low-stock", params=params | {"limit": 100}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return [item["variantId"] for item in answer.json()["items"]]


async def test_low_stock_names_what_is_at_or_below_its_level(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    owner, admin = catalog.bearer(Role.SELLER, user_id), catalog.bearer(Role.ADMIN)
    own = [
        await catalog.variant(quantity, reorder_level=level, seller_id=seller_id)
        for quantity, level in ((3, 3), (4, 3), (0, 0), (1, 0))
    ]
    await catalog.variant(0, seller_id=seller_id, status=ProductStatus.ARCHIVED)
    assert await low(catalog, owner) == [str(own[0]), str(own[2])]
    await catalog.reserve((own[1], 1))
    assert await low(catalog, owner, sellerId=str(seller_id)) == [str(each) for each in own[:3]]
    assert await low(catalog, admin, sellerId=str(seller_id)) == [str(each) for each in own[:3]]
    await adjusted(catalog, own[0], 1)
    assert await low(catalog, owner) == [str(own[1]), str(own[2])]


async def test_an_administrator_walks_through_all_that_is_low(catalog: Catalog) -> None:
    fresh = {str(await catalog.variant(0)) for _ in range(3)}
    found: list[str] = []
    url = "/api/inventory/low-stock?limit=40"
    while url:
        answer = await catalog.client.get(url, headers=catalog.bearer(Role.ADMIN))
        found += [item["variantId"] for item in answer.json()["items"]]
        url = answer.headers.get("link", "").removeprefix("<").removesuffix('>; rel="next"')
    assert fresh <= set(found)
    assert found == sorted(set(found))


async def test_what_is_low_is_found_without_a_look_at_the_rest(catalog: Catalog) -> None:
    for quantity in (0, 0, *[9] * 40):
        await catalog.variant(quantity)

    async def rows_read(session: ReadSession) -> int:
        query = sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(row[1]) for row in await session.execute(query))

    async with catalog.database.read_own_writes() as session:
        before = await rows_read(session)
        asking = await rows_read(session) - before
        found = await low_stock(session, None, after=None, limit=2)
        read = await rows_read(session) - before - 2 * asking
    assert len(found) == 2
    # Per item: its counter, variant and product; and a few to begin with.
    assert read <= 20


@pytest.mark.parametrize("path", ["low-stock", "{variant}/movements"])
async def test_shelves_are_for_those_who_keep_them(catalog: Catalog, path: str) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    _, stranger = await catalog.seller()
    url = f"/api/inventory/{path.format(variant=variant)}"
    query = f"?sellerId={seller_id}" if path == "low-stock" else ""
    for headers, status in (
        ({}, 401),
        (catalog.bearer(Role.CUSTOMER), 403),
        (catalog.bearer(Role.SELLER, stranger), 404),
        (catalog.bearer(Role.SELLER), 404),
        (catalog.bearer(Role.ADMIN), 200),
    ):
        assert (await catalog.client.get(url + query, headers=headers)).status_code == status
    for odd in ("limit=0", "limit=101", "cursor=x", "offset=1"):
        answer = await catalog.client.get(f"{url}?{odd}", headers=catalog.bearer(Role.ADMIN))
        assert answer.status_code == 422

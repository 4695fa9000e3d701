"""Wishlists over HTTP: one's own and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus, WishlistItem
from catalog_service.services.wishlists import MAX_WISHES
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.search.searching import Offer, SearchShop

UNKNOWN = "01900000-0000-7000-8000-000000000000"


class Wisher:
    """A user with a wishlist."""

    def __init__(self, catalog: Catalog, role: Role = Role.CUSTOMER) -> None:
        self.catalog = catalog
        self.user_id = new_id()
        self.headers = catalog.bearer(role, self.user_id)
        self.path = f"/api/wishlists/{self.user_id}"

    async def send(self, method: str, tail: str = "", **arguments: Any) -> httpx2.Response:
        path = f"{self.path}{tail}"
        return await self.catalog.client.request(method, path, headers=self.headers, **arguments)

    async def wish(self, product_id: UUID) -> int:
        answer = await self.send("POST", json={"productId": str(product_id)})
        return answer.status_code

    async def items(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.send("GET", query)).json()["items"]
        return found

    async def ids(self) -> list[str]:
        return [item["product"]["id"] for item in await self.items()]


async def product(catalog: Catalog, quantity: int = 5, **given: Any) -> UUID:
    return await catalog.product_of(await catalog.variant(quantity, **given))


async def set_status(catalog: Catalog, product_id: UUID, status: ProductStatus) -> None:
    query = sa.text("UPDATE products SET status = :status WHERE id = :id")
    async with catalog.database.connection() as connection:
        await connection.execute(query, {"status": status.value, "id": product_id.bytes})
        await connection.commit()


async def test_a_wish_is_shown_with_price_and_stock(catalog: Catalog) -> None:
    somebody = Wisher(catalog)
    product_id = await product(catalog, 7, price_minor=99_900)
    answer = await somebody.send("POST", json={"productId": str(product_id)})
    assert (answer.status_code, answer.json()) == (201, {"productId": str(product_id)})
    (item,) = await somebody.items()
    assert item["addedAt"].endswith("Z")
    shown = item["product"]
    assert (shown["id"], shown["name"]) == (str(product_id), "Kurta")
    assert shown["price"] == {"amount": 99_900, "currency": "INR"}
    assert (shown["available"], shown["isForSale"], shown["imageUrl"]) == (7, True, None)


async def test_a_wish_shows_what_can_be_bought_and_where_nothing_can_all_prices(
    catalog: Catalog,
) -> None:
    somebody, shop = Wisher(catalog), SearchShop(catalog)
    for name, stock in (("some", 3), ("none", 0)):
        product_id = await shop.put_of(
            name, Offer(10_000, 0, {}), Offer(50_000, stock, {}), Offer(90_000, stock, {})
        )
        await somebody.wish(product_id)
    ends = {
        item["product"]["name"]: (
            item["product"]["price"]["amount"],
            item["product"]["priceTo"]["amount"],
        )
        for item in await somebody.items()
    }
    assert ends == {"some": (50_000, 90_000), "none": (10_000, 90_000)}


async def test_wishing_twice_changes_nothing(catalog: Catalog) -> None:
    somebody, product_id = Wisher(catalog), await product(catalog)
    assert await somebody.wish(product_id) == 201
    assert await somebody.wish(product_id) == 200
    assert (await somebody.send("POST", f"/{product_id}")).status_code == 200
    assert await somebody.ids() == [str(product_id)]


async def test_the_product_may_stand_in_the_path(catalog: Catalog) -> None:
    somebody, product_id = Wisher(catalog), await product(catalog)
    assert (await somebody.send("POST", f"/{product_id}")).status_code == 201
    assert await somebody.ids() == [str(product_id)]


async def test_eight_equal_wishes_at_once_make_one(open_catalog: OpenCatalog) -> None:
    catalog = await open_catalog()
    somebody, product_id = Wisher(catalog), await product(catalog)
    codes = await asyncio.gather(*(somebody.wish(product_id) for _ in range(8)))
    assert sorted(codes) == [200] * 7 + [201]


async def test_a_wish_is_taken_off_and_taking_it_off_again_is_fine(catalog: Catalog) -> None:
    somebody, product_id = Wisher(catalog), await product(catalog)
    await somebody.wish(product_id)
    for _ in range(2):
        answer = await somebody.send("DELETE", f"/{product_id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert await somebody.items() == []


async def test_a_list_is_cleared_and_others_stay(catalog: Catalog) -> None:
    somebody, other, product_id = Wisher(catalog), Wisher(catalog), await product(catalog)
    for wisher in (somebody, other):
        await wisher.wish(product_id)
    assert (await somebody.send("DELETE")).status_code == 204
    assert await somebody.items() == []
    assert await other.ids() == [str(product_id)]


async def test_the_latest_wish_comes_first_page_by_page(catalog: Catalog) -> None:
    somebody = Wisher(catalog)
    wanted = [await product(catalog) for _ in range(5)]
    for product_id in wanted:
        await somebody.wish(product_id)
    found: list[str] = []
    tail = "?limit=2"
    while True:
        answer = await somebody.send("GET", tail)
        found += [item["product"]["id"] for item in answer.json()["items"]]
        if answer.json()["nextCursor"] is None:
            break
        assert 'rel="next"' in answer.headers["link"]
        tail = f"?limit=2&cursor={answer.json()['nextCursor']}"
        await somebody.wish(await product(catalog))  # one that comes later moves no page
    assert found == [str(product_id) for product_id in reversed(wanted)]


@pytest.mark.parametrize("status", [ProductStatus.ARCHIVED, ProductStatus.DRAFT])
async def test_what_is_no_longer_sold_stays_on_the_list_and_says_so(
    catalog: Catalog, status: ProductStatus
) -> None:
    somebody, product_id = Wisher(catalog), await product(catalog)
    await somebody.wish(product_id)
    await set_status(catalog, product_id, status)
    (item,) = await somebody.items()
    assert (item["product"]["available"], item["product"]["isForSale"]) == (0, False)
    assert await somebody.wish(product_id) == 200


async def test_what_is_not_sold_is_not_wished_for(catalog: Catalog) -> None:
    somebody = Wisher(catalog)
    draft = await product(catalog, status=ProductStatus.DRAFT)
    for product_id in (str(draft), UNKNOWN):
        told = await somebody.send("POST", json={"productId": product_id})
        assert (told.status_code, told.json()["code"]) == (422, "unknown_product")
        named = await somebody.send("POST", f"/{product_id}")
        assert (named.status_code, named.json()["code"]) == (404, "not_found")
    assert await somebody.items() == []


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER, Role.ADMIN])
async def test_anothers_list_is_not_found(catalog: Catalog, role: Role) -> None:
    owner, product_id = Wisher(catalog), await product(catalog)
    await owner.wish(product_id)
    stranger = Wisher(catalog, role)
    stranger.path = owner.path
    answers = [
        await stranger.send("GET"),
        await stranger.send("POST", json={"productId": str(product_id)}),
        await stranger.send("POST", f"/{product_id}"),
        await stranger.send("DELETE", f"/{product_id}"),
        await stranger.send("DELETE"),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "not_found")}
    assert await owner.ids() == [str(product_id)]


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER, Role.ADMIN])
async def test_everybody_with_an_account_has_a_list(catalog: Catalog, role: Role) -> None:
    somebody = Wisher(catalog, role)
    assert await somebody.wish(await product(catalog)) == 201
    assert len(await somebody.items()) == 1


async def test_guests_have_none_and_nobody_without_a_token(catalog: Catalog) -> None:
    guest = Wisher(catalog, Role.GUEST)
    answer = await guest.send("GET")
    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
    assert await guest.wish(await product(catalog)) == 403
    guest.headers = {}
    answer = await guest.send("GET")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth_required")


async def test_malformed_ids_name_nothing(catalog: Catalog) -> None:
    somebody = Wisher(catalog)
    answers = [
        await somebody.send("POST", "/x"),
        await somebody.send("DELETE", "/x"),
        await catalog.client.get("/api/wishlists/x", headers=somebody.headers),
    ]
    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize(
    "body", [{}, {"productId": "x"}, {"productId": 1}, {"productId": None}, {"product": UNKNOWN}]
)
async def test_an_odd_wish_is_refused(catalog: Catalog, body: Any) -> None:
    answer = await Wisher(catalog).send("POST", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=x", "cursor=", "offset=5"])
async def test_an_odd_page_is_refused(catalog: Catalog, query: str) -> None:
    assert (await Wisher(catalog).send("GET", f"?{query}")).status_code == 422


async def test_a_list_has_an_end_also_for_two_wishes_at_once(catalog: Catalog) -> None:
    somebody = Wisher(catalog)
    category_id = await catalog.category()
    wanted = [await product(catalog, category_id=category_id) for _ in range(3)]
    await fill(catalog, somebody.user_id, MAX_WISHES - 1)
    codes = await asyncio.gather(*(somebody.wish(product_id) for product_id in wanted))
    assert sorted(codes) == [201, 409, 409]
    full = await somebody.send("POST", f"/{wanted[codes.index(409)]}")
    assert (full.status_code, full.json()["code"]) == (409, "wishlist_full")


async def fill(catalog: Catalog, user_id: UUID, n: int) -> None:
    """Put wishes on a list, of products that no check looks at."""

    async def work(session: WriteSession) -> None:
        await session.execute(sa.text("SET SESSION foreign_key_checks = 0"))
        session.add_all(
            WishlistItem(
                user_id=user_id, product_id=new_id(), created_at=now() - timedelta(hours=1)
            )
            for _ in range(n)
        )
        await session.flush()
        await session.execute(sa.text("SET SESSION foreign_key_checks = 1"))

    await catalog.database.transact(work)

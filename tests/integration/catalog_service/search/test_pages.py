"""Pages follow each other in the order asked for."""

from uuid import UUID

import pytest

from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.search.searching import SearchShop, word


@pytest.mark.parametrize("sort", ["relevance", "price", "-price", "rating", "newest"])
async def test_pages_follow_each_other_while_products_are_added(
    shop: SearchShop, sort: str
) -> None:
    mark = word()
    before = [f"{mark} {n}" for n in range(7)]
    for n, name in enumerate(before):
        await shop.put(name, price_minor=100 + n % 3)
    seen: list[str] = []
    cursor: str | None = None
    for page_number in range(10):
        more = {"cursor": cursor} if cursor else {}
        page = await shop.search(mark, sort=sort, limit=2, **more)
        seen += [item["name"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        if page_number == 0:
            await shop.put(f"{mark} late", price_minor=101)
    shown = [name for name in seen if name in before]
    assert sorted(shown) == before


async def test_the_next_page_is_linked(shop: SearchShop) -> None:
    mark = word()
    for n in range(3):
        await shop.put(f"{mark} {n}")
    query: dict[str, str | int] = {"q": f"{mark} ", "limit": 2, "inStock": "true"}
    answer = await shop.catalog.client.get("/api/products/search", params=query)
    rest = await shop.catalog.client.get(answer.links["next"]["url"])
    found = [item["name"] for item in answer.json()["items"] + rest.json()["items"]]
    assert sorted(found) == [f"{mark} {n}" for n in range(3)]
    assert rest.json()["nextCursor"] is None


async def test_prices_run_upwards_and_downwards(shop: SearchShop) -> None:
    mark = word()
    for price in (300, 100, 200):
        await shop.put(f"{mark} {price}", price_minor=price)
    upwards = await shop.names(mark, sort="price")
    assert upwards == [f"{mark} 100", f"{mark} 200", f"{mark} 300"]
    assert await shop.names(mark, sort="-price") == upwards[::-1]
    assert await shop.names(mark, sort="newest") == [f"{mark} 200", f"{mark} 100", f"{mark} 300"]


async def test_an_archived_product_is_not_shown_even_before_the_index_knows(
    shop: SearchShop,
) -> None:
    mark = word()
    product_id: UUID = await shop.put(f"Kettle {mark}")
    await shop.archive(product_id)
    assert await shop.names(mark) == []


async def test_the_list_of_a_category_is_newest_first_and_linked(catalog: Catalog) -> None:
    category = await catalog.category()
    for n in range(3):
        await catalog.variant(1, name=f"P{n}", category_id=category)
    query: dict[str, str | int] = {"categoryId": str(category), "limit": 2}
    answer = await catalog.client.get("/api/products", params=query)
    assert [item["name"] for item in answer.json()["items"]] == ["P2", "P1"]
    rest = await catalog.client.get(answer.links["next"]["url"])
    assert [item["name"] for item in rest.json()["items"]] == ["P0"]
    assert rest.json()["nextCursor"] is None

"""Search and lists over HTTP, on MySQL's full text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from catalog_service.models import ProductStatus
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog


async def search(catalog: Catalog, **parameters: Any) -> dict[str, Any]:
    answer = await catalog.client.get("/api/products/search", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(page: dict[str, Any]) -> list[str]:
    return [item["name"] for item in page["items"]]


def word() -> str:
    return f"w{new_id().hex}"


@contextmanager
def statements(catalog: Catalog) -> Iterator[list[str]]:
    """Collect the SQL sent while the block runs."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    engine = catalog.database.writer.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_words_are_found_in_name_and_description(catalog: Catalog) -> None:
    mark = word()
    await catalog.variant(1, name=f"Kettle {mark}")
    await catalog.variant(1, name="Teapot", description=f"Goes with {mark}")
    await catalog.variant(1, name=f"Draft {mark}", status=ProductStatus.DRAFT)
    page = await search(catalog, q=f"{mark}")
    assert sorted(names(page)) == [f"Kettle {mark}", "Teapot"]
    assert page["total"] == 2


async def test_every_word_is_required_and_beginnings_count(catalog: Catalog) -> None:
    mark = word()
    await catalog.variant(1, name=f"Blue kettle {mark}")
    await catalog.variant(1, name=f"Red kettle {mark}")
    assert names(await search(catalog, q=f"blu {mark}")) == [f"Blue kettle {mark}"]


@pytest.mark.parametrize(
    "q", ["+", "c++", "a@b", "(", ")", '"', '"open', "*", "-", "~<>", "tv", " ", "\\", "%", "🚚"]
)
async def test_operators_and_short_words_are_harmless(catalog: Catalog, q: str) -> None:
    await search(catalog, q=q)


async def test_a_short_name_is_found_as_it_stands(catalog: Catalog) -> None:
    await catalog.variant(1, name="A c++ 5% book")
    await catalog.variant(1, name="A c 55 book")
    assert names(await search(catalog, q="c++ 5%")) == ["A c++ 5% book"]


async def test_an_injection_finds_nothing(catalog: Catalog) -> None:
    await catalog.variant(1)
    page = await search(catalog, q="' OR 1=1--")
    assert (page["items"], page["total"], page["nextCursor"]) == ([], 0, None)


@pytest.mark.parametrize(
    "query",
    [
        "q=",
        "",
        "q=" + "x" * 101,
        "q=phone&limit=1000000",
        "q=phone&limit=0",
        "q=phone&offset=20",
        "q=phone&cursor=abc",
        "q=phone&sort=name",
        "q=phone&minPrice=-1",
        "q=phone&maxPrice=1000000000000",
        "q=phone&minRating=6",
        "q=phone&minRating=nan",
        "q=phone&categoryId=x",
        "q=a%00b",
        "q=phone&attr.=x",
        "q=phone&attr.x=",
    ],
)
async def test_an_odd_query_is_refused(catalog: Catalog, query: str) -> None:
    answer = await catalog.client.get(f"/api/products/search?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_filters_narrow_what_is_found(catalog: Catalog) -> None:
    mark = word()
    root = await catalog.category()
    leaf = await catalog.category(root)
    seller_id, _ = await catalog.seller()
    colour = {"colour": "sky blue"}
    await catalog.variant(0, name=f"Gone {mark}", category_id=leaf)
    await catalog.variant(
        5,
        name=f"Here {mark}",
        category_id=leaf,
        seller_id=seller_id,
        price_minor=500,
        attributes=colour,
    )
    assert names(await search(catalog, q=mark, inStock=True)) == [f"Here {mark}"]
    assert names(await search(catalog, q=mark, maxPrice=500)) == [f"Here {mark}"]
    assert names(await search(catalog, q=mark, minPrice=501)) == [f"Gone {mark}"]
    assert names(await search(catalog, q=mark, sellerId=str(seller_id))) == [f"Here {mark}"]
    assert (await search(catalog, q=mark, categoryId=str(root)))["total"] == 2
    assert (await search(catalog, q=mark, minRating=4.5))["total"] == 0
    with_colour = await search(catalog, **{"q": mark, "attr.colour": "sky blue"})
    assert names(with_colour) == [f"Here {mark}"]
    facets = with_colour["facets"]
    assert [(each["id"], each["count"]) for each in facets["categories"]] == [(str(leaf), 1)]
    assert facets["prices"]["lowest"] == {"amount": 500, "currency": "INR"}


@pytest.mark.parametrize("sort", ["relevance", "price", "-price", "rating", "newest"])
async def test_pages_follow_each_other_while_products_are_added(
    catalog: Catalog, sort: str
) -> None:
    mark = word()
    before = {f"{mark} {n}" for n in range(7)}
    for n, name in enumerate(sorted(before)):
        await catalog.variant(1, name=name, price_minor=100 + n % 3)
    seen: list[str] = []
    cursor: str | None = None
    for page_number in range(10):
        more = {"cursor": cursor} if cursor else {}
        page = await search(catalog, q=mark, sort=sort, limit=2, **more)
        seen += names(page)
        cursor = page["nextCursor"]
        if cursor is None:
            break
        if page_number == 0 and sort != "relevance":
            await catalog.variant(1, name=f"{mark} late", price_minor=101)
    shown = [name for name in seen if name in before]
    assert sorted(shown) == sorted(before)


async def test_prices_run_upwards_and_downwards(catalog: Catalog) -> None:
    mark = word()
    for price in (300, 100, 200):
        await catalog.variant(1, name=f"{mark} {price}", price_minor=price)
    upwards = names(await search(catalog, q=mark, sort="price"))
    assert upwards == [f"{mark} 100", f"{mark} 200", f"{mark} 300"]
    assert names(await search(catalog, q=mark, sort="-price")) == upwards[::-1]


async def test_the_list_of_a_category_is_newest_first_and_linked(catalog: Catalog) -> None:
    category = await catalog.category()
    for n in range(3):
        await catalog.variant(1, name=f"P{n}", category_id=category)
    query: dict[str, str | int] = {"categoryId": str(category), "limit": 2}
    answer = await catalog.client.get("/api/products", params=query)
    assert names(answer.json()) == ["P2", "P1"]
    rest = await catalog.client.get(answer.links["next"]["url"])
    assert names(rest.json()) == ["P0"]
    assert rest.json()["nextCursor"] is None


@pytest.mark.parametrize("path", ["/api/products", "/api/products/search?q=kurta"])
async def test_a_page_costs_the_same_statements_whatever_its_size(
    catalog: Catalog, path: str
) -> None:
    for _ in range(3):
        await catalog.variant(1)
    counts = []
    for limit in (1, 3):
        joint = "&" if "?" in path else "?"
        with statements(catalog) as sent:
            answer = await catalog.client.get(f"{path}{joint}limit={limit}&sort=price")
        assert len(answer.json()["items"]) == limit
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 6


async def test_a_search_is_remembered_for_a_while(catalog: Catalog) -> None:
    mark = word()
    variant: UUID = await catalog.variant(1, name=f"Kettle {mark}")
    await search(catalog, q=mark)
    with statements(catalog) as sent:
        page = await search(catalog, q=mark)
    assert page["items"][0]["variants"][0]["id"] == str(variant)
    assert sent == []

"""Queries with operators, with injections, and such as cannot be."""

import pytest

from tests.integration.catalog_service.search.searching import SearchShop, word

ODD_QUERIES = (
    *("+", "c++", "a@b", "(", ")", '"', '"open', "*", "-", "-x", "~<>", "tv", "\\", "%", "_", "🚚"),
    *("'", "''", ";--", "@@version", "{}", "[", "a:b", "/", "//", "* *", "+-+", "><", "AND", "NOT"),
    *("x" * 100, "é" * 100, "+a -b", '"a b"@3', "a* b*", "\u200b", "..", "1e400", "null", "${x}"),
    *("\U0001f1ee\U0001f1f3", "अ" * 100, "#", "c#", "&&", "||", "\ufeff", "\u202e", "-" * 100),
)


@pytest.mark.parametrize(
    "q",
    ODD_QUERIES,
)
async def test_operators_and_odd_characters_are_harmless(shop: SearchShop, q: str) -> None:
    page = await shop.search(q)
    assert page["total"] >= len(page["items"])


async def test_operators_do_not_operate(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"Red kettle {mark}")
    await shop.put(f"Blue kettle {mark}")
    for q in (
        f"+{mark} -red",
        f"{mark} AND red",
        f'"{mark} red"',
        f"({mark}) ~red",
        f"{mark} >red",
    ):
        assert await shop.names(q) in ([f"Red kettle {mark}"], []), q
    assert len(await shop.names(f'"{mark}" (kettle)*')) == 2


@pytest.mark.parametrize("q", ["' OR 1=1--", "') OR ('1'='1", "1; DROP TABLE products"])
async def test_an_injection_finds_nothing(shop: SearchShop, q: str) -> None:
    await shop.put("Kurta or 1 more")
    page = await shop.search(q)
    assert (page["items"], page["total"], page["nextCursor"]) == ([], 0, None)


@pytest.mark.parametrize(
    "query",
    [
        "q=",
        "",
        "q=%20",
        "q=%09%0A",
        "q=" + "x" * 101,
        "q=phone&limit=1000000",
        "q=phone&limit=0",
        "q=phone&limit=-1",
        "q=phone&limit=x",
        "q=phone&offset=20",
        "q=phone&page=2",
        "q=phone&cursor=abc",
        "q=phone&cursor=",
        "q=phone&cursor=" + "x" * 300,
        "q=phone&sort=name",
        "q=phone&minPrice=-1",
        "q=phone&minPrice=0.5",
        "q=phone&maxPrice=1000000000000",
        "q=phone&minRating=6",
        "q=phone&minRating=nan",
        "q=phone&categoryId=x",
        "q=phone&sellerId=1",
        "q=phone&inStock=perhaps",
        "q=a%00b",
        "q=phone&attr.=x",
        "q=phone&attr.x=",
        "q=phone&attr.x=a%00b",
        "q=phone&attr.x=" + "x" * 256,
        "q=phone&" + "&".join(f"attr.a{n}=x" for n in range(6)),
    ],
)
async def test_an_odd_query_is_refused(shop: SearchShop, query: str) -> None:
    answer = await shop.catalog.client.get(f"/api/products/search?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_of_another_sort_is_refused(shop: SearchShop) -> None:
    mark = word()
    for n in range(3):
        await shop.put(f"{mark} {n}")
    cursor = (await shop.search(mark, sort="price", limit=1))["nextCursor"]
    for sort in ("-price", "rating", "newest", "relevance"):
        query = {"q": mark, "sort": sort, "cursor": cursor}
        answer = await shop.catalog.client.get("/api/products/search", params=query)
        assert answer.status_code == 422, sort
        assert answer.json()["code"] == "invalid_cursor"

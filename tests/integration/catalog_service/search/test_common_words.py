"""Words so common that not all is looked at: on MySQL, with the bounds brought near."""

import pytest

from catalog_service.services.search import mysql, plan
from tests.integration.catalog_service.search.searching import SearchShop, word

FEW = 3
PRODUCTS = 12
# More than anything else in the database costs, whatever ran before.
DEAR = 7_000_000_000


@pytest.fixture(autouse=True)
def few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "LOOKED_AT", FEW)


@pytest.fixture
def two_are_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "COMMON", 2)
    monkeypatch.setattr(mysql, "COMMON", 2)


async def put_many(shop: SearchShop, mark: str) -> list[str]:
    """Put products of prices that repeat; return their names, the cheapest first."""
    names = [f"{mark} {n:02}" for n in range(PRODUCTS)]
    ids = [await shop.unindexed(name, price_minor=100 + n % 5) for n, name in enumerate(names)]
    await shop.index(*ids)
    return sorted(names, key=lambda name: (int(name[-2:]) % 5, ids[int(name[-2:])]))


async def pages(shop: SearchShop, q: str, **query: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await shop.search(q, limit=2, **query, **({"cursor": cursor} if cursor else {}))
        assert page["totalRelation"] == "gte"
        found += [item["name"] for item in page["items"]]
        cursor = page["nextCursor"]
    return found


@pytest.mark.parametrize(
    ("sorted_below", "steps"), [(5_000, 0), (0, 1_000_000), (0, 4)], ids=["sort", "walk", "both"]
)
async def test_pages_in_an_order_go_beyond_what_is_looked_at(
    mysql_shop: SearchShop, monkeypatch: pytest.MonkeyPatch, sorted_below: int, steps: int
) -> None:
    monkeypatch.setattr(mysql, "_SORTED", sorted_below)
    monkeypatch.setattr(mysql, "_STEPS", steps)
    mark = word()
    upwards = await put_many(mysql_shop, mark)
    newest = sorted(upwards, reverse=True)
    assert await pages(mysql_shop, mark, sort="price") == upwards
    assert await pages(mysql_shop, mark, sort="-price") == upwards[::-1]
    assert await pages(mysql_shop, mark, sort="newest") == newest
    assert await pages(mysql_shop, mark, sort="rating") == newest
    assert await pages(mysql_shop, mark, sort="price", inStock="true") == upwards


async def test_the_total_is_a_lower_bound_and_relevance_ends_there(mysql_shop: SearchShop) -> None:
    mark = word()
    await put_many(mysql_shop, mark)
    page = await mysql_shop.search(mark)
    assert (page["total"], page["totalRelation"], len(page["items"])) == (FEW, "gte", FEW)
    assert page["nextCursor"] is None


@pytest.mark.usefixtures("two_are_common")
async def test_a_filter_few_pass_is_read_in_place_of_the_words(
    mysql_shop: SearchShop,
) -> None:
    mark = word()
    await put_many(mysql_shop, mark)
    category = await mysql_shop.category(f"Narrow {mark}")
    await mysql_shop.put(f"Single {mark}", category_id=category, price_minor=DEAR)
    narrow = await mysql_shop.search(mark, categoryId=str(category))
    dear = await mysql_shop.search(mark, minPrice=DEAR)
    for page in (narrow, dear):
        assert [item["name"] for item in page["items"]] == [f"Single {mark}"]
        assert (page["total"], page["totalRelation"]) == (1, "eq")
    assert len(narrow["facets"]["categories"]) > 1
    assert dear["facets"]["prices"]["lowest"]["amount"] < 700


@pytest.mark.parametrize("sorted_below", [5_000, 0], ids=["full text", "best sold"])
async def test_common_words_are_found_in_descriptions_where_no_name_has_them(
    mysql_shop: SearchShop, monkeypatch: pytest.MonkeyPatch, sorted_below: int
) -> None:
    monkeypatch.setattr(plan, "COMMON", 0)
    monkeypatch.setattr(mysql, "_SORTED", sorted_below)
    monkeypatch.setattr(mysql, "LOOKED_AT", 250)
    named, told = word(), word()
    await mysql_shop.put(f"Kettle {named}")
    sold = await mysql_shop.put("Teapot", description=f"Of {told} beside {named}")
    await mysql_shop.sold(sold, 1_000_000)
    assert await mysql_shop.names(f"{named} {told}") == ["Teapot"]


@pytest.mark.usefixtures("two_are_common")
async def test_of_a_word_that_very_many_names_have_those_sold_most_are_looked_at(
    mysql_shop: SearchShop,
) -> None:
    mark = word()
    await put_many(mysql_shop, mark)
    best = [await mysql_shop.put(f"{mark} best {n}") for n in range(FEW)]
    for units, product_id in enumerate(best):
        await mysql_shop.sold(product_id, 50 + units)
    page = await mysql_shop.search(mark)
    assert [item["name"] for item in page["items"]] == [f"{mark} best {n}" for n in (2, 1, 0)]
    assert page["totalRelation"] == "gte"

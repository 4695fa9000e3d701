"""Search over HTTP: one suite for both backends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from catalog_service.models import ProductStatus
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.search.searching import SearchShop, word

MAX_STATEMENTS = 12
ODD_QUERIES = (
    *("+", "c++", "a@b", "(", ")", '"', '"open', "*", "-", "-x", "~<>", "tv", "\\", "%", "_", "🚚"),
    *("'", "''", ";--", "@@version", "{}", "[", "a:b", "/", "//", "* *", "+-+", "><", "AND", "NOT"),
    *("x" * 100, "é" * 100, "+a -b", '"a b"@3', "a* b*", "\u200b", "..", "1e400", "null", "${x}"),
    *("\U0001f1ee\U0001f1f3", "अ" * 100, "#", "c#", "&&", "||", "\ufeff", "\u202e", "-" * 100),
)


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


async def test_words_are_found_in_name_and_description(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"Kettle {mark}")
    await shop.put("Teapot", description=f"Goes with {mark}")
    await shop.put(f"Draft {mark}", status=ProductStatus.DRAFT)
    page = await shop.search(mark)
    assert [item["name"] for item in page["items"]] == [f"Kettle {mark}", "Teapot"]
    assert (page["total"], page["totalRelation"]) == (2, "eq")


async def test_a_word_of_the_name_weighs_more_than_one_of_the_description(shop: SearchShop) -> None:
    mark = word()
    await shop.put("Described", description=f"{mark} {mark} {mark} and {mark} again")
    await shop.put("Beginning", description=f"{mark}ing")
    await shop.put(f"{mark}s named by a beginning")
    await shop.put(f"The {mark} itself")
    assert await shop.names(mark) == [
        f"The {mark} itself",
        f"{mark}s named by a beginning",
        "Beginning",
        "Described",
    ] or await shop.names(mark) == [
        f"The {mark} itself",
        f"{mark}s named by a beginning",
        "Described",
        "Beginning",
    ]


async def test_what_is_sold_most_goes_first_among_equals(shop: SearchShop) -> None:
    mark = word()
    quiet = await shop.put(f"Quiet {mark}")
    loved = await shop.put(f"Loved {mark}")
    await shop.sold(quiet, 3)
    await shop.sold(loved, 30)
    assert await shop.names(mark) == [f"Loved {mark}", f"Quiet {mark}"]


async def test_every_word_is_required_and_beginnings_count(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"Blue kettle {mark}")
    await shop.put(f"Red kettle {mark}")
    assert await shop.names(f"blu {mark}") == [f"Blue kettle {mark}"]
    assert await shop.names(f"{mark} green") == []


async def test_categories_attributes_variants_and_skus_are_words_too(shop: SearchShop) -> None:
    mark, category_word = word(), word()
    category = await shop.category(f"Garden {category_word}")
    variant = await shop.catalog.variant(
        1, name=f"Chair {mark}", category_id=category, attributes={"wood": f"Teak {mark}x"}
    )
    product_id = await shop.catalog.product_of(variant)
    await shop.set_sku(variant, f"CH-{mark}-7/b")
    await shop.index(product_id)
    for q in (category_word, f"teak {mark}", f"{mark}x", f"CH-{mark}-7/b", f"ch-{mark}"):
        assert await shop.names(q) == [f"Chair {mark}"], q


@pytest.mark.parametrize("q", ["tv", "TV", "4k", "hp", "c++", "C", "the", "who", "x"])
async def test_short_words_and_stop_words_are_words(shop: SearchShop, q: str) -> None:
    mark = word()
    await shop.put(f"The Who: {mark} C++ primer on 4K TV by HP, X")
    await shop.put(f"Other {mark}")
    found = await shop.names(f"{q} {mark}")
    assert found == [f"The Who: {mark} C++ primer on 4K TV by HP, X"]


async def test_a_short_word_is_not_a_beginning(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"Television tvset {mark}")
    assert await shop.names(f"tv {mark}") == []


async def test_signs_at_the_end_belong_to_the_word(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"C++ Primer {mark}")
    await shop.put(f"C# in Depth {mark}")
    await shop.put(f"The C Language {mark}")
    assert await shop.names(f"c++ {mark}") == [f"C++ Primer {mark}"]
    assert await shop.names(f"c# {mark}") == [f"C# in Depth {mark}"]
    assert len(await shop.names(f"c {mark}")) == 3


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("USB-C cable", "usb c"),
        ("USB C cable", "usb-c"),
        ("Wi-Fi router", "wifi"),
        ("Wi-Fi router", "WI-FI"),
        ("AT&T phone", "at&t"),
        ("Men's shoe", "mens"),
        ("Mens shoe", "men's"),
        ("Mens shoe", "men\u2019s"),
        ("Café table", "cafe"),
        ("Cafe table", "café"),
        ("Cafe\u0301 table", "CAFÉ"),
        ("Straße map", "strasse"),
        ("समोसा मिक्स", "समोसा"),
        ("समोसा मिक्स", "समो"),
        ("ஜிகர்தண்டா", "ஜிகர்தண்டா"),
        ("Truck 🚚 toy", "🚚"),
        ("\uff37\uff49\uff44\uff45 letters", "wide"),
        ("Acme™ glue", "acme"),
        ("5.5-inch screen", "5.5"),
        ("50% cotton", "50%"),
    ],
)
async def test_a_word_is_found_however_it_is_written(shop: SearchShop, name: str, q: str) -> None:
    mark = word()
    await shop.put(f"{name} {mark}")
    await shop.put(f"Something else {mark}")
    assert await shop.names(f"{q} {mark}") == [f"{name} {mark}"]


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


async def test_each_filter_narrows_what_is_found(shop: SearchShop) -> None:
    mark = word()
    root = await shop.category(f"Root {mark}")
    leaf = await shop.category(f"Leaf {mark}", root)
    seller_id, _ = await shop.catalog.seller()
    await shop.put(f"Gone {mark}", quantity=0, category_id=leaf)
    await shop.put(
        f"Here {mark}",
        category_id=leaf,
        seller_id=seller_id,
        price_minor=500,
        attributes={"Colour": "Sky Blue"},
    )
    here, gone = f"Here {mark}", f"Gone {mark}"
    assert await shop.names(mark, inStock=True) == [here]
    assert await shop.names(mark, maxPrice=500) == [here]
    assert await shop.names(mark, minPrice=501) == [gone]
    assert await shop.names(mark, minPrice=500, maxPrice=500) == [here]
    assert await shop.names(mark, minPrice=501, maxPrice=500) == []
    assert await shop.names(mark, sellerId=str(seller_id)) == [here]
    assert sorted(await shop.names(mark, categoryId=str(root))) == [gone, here]
    assert await shop.names(mark, categoryId=str(new_id())) == []
    assert await shop.names(mark, minRating=4.5) == []
    assert await shop.names(mark, **{"attr.Colour": "Sky Blue"}) == [here]
    assert await shop.names(mark, **{"attr.colour": "sky blue"}) == [here]
    assert await shop.names(mark, **{"attr.Colour": "Sky"}) == []
    assert await shop.names(mark, **{"attr.Colour": ["Red", "Sky Blue"]}) == [here]


async def test_facets_count_exactly_what_the_other_filters_leave(shop: SearchShop) -> None:
    mark = word()
    root = await shop.category(f"Root {mark}")
    one, two = await shop.category(f"One {mark}", root), await shop.category(f"Two {mark}", root)
    seller_id, _ = await shop.catalog.seller()
    red, blue = {"colour": "red", "size": "M"}, {"colour": "blue"}
    await shop.put(f"A {mark}", category_id=one, price_minor=40_000, attributes=red)
    await shop.put(f"B {mark}", category_id=one, price_minor=60_000, attributes=blue, quantity=0)
    rated = await shop.put(
        f"C {mark}", category_id=two, price_minor=90_000, attributes=red, seller_id=seller_id
    )
    await shop.rated(rated, "4.50")

    facets = (await shop.search(mark))["facets"]
    assert counts(facets["categories"]) == {str(one): 2, str(two): 1}
    assert {each["name"] for each in facets["categories"]} == {f"One {mark}", f"Two {mark}"}
    assert counts(facets["sellers"]) == {str(seller_id): 1}
    assert facets["inStock"] == 2
    assert facets["prices"] == {
        "lowest": {"amount": 40_000, "currency": "INR"},
        "highest": {"amount": 90_000, "currency": "INR"},
    }
    assert [step["count"] for step in facets["priceSteps"]] == [1, 2]
    assert {each["minRating"]: each["count"] for each in facets["ratings"]} == dict.fromkeys(
        (4, 3, 2, 1), 1
    )
    assert values(facets) == {"colour": {"red": 2, "blue": 1}, "size": {"M": 2}}

    page = await shop.search(mark, **{"attr.colour": "red"})
    assert page["total"] == 2
    assert values(page["facets"])["colour"] == {"red": 2, "blue": 1}
    assert counts(page["facets"]["categories"]) == {str(one): 1, str(two): 1}

    facets = (await shop.search(mark, categoryId=str(one), inStock=True))["facets"]
    assert counts(facets["categories"]) == {str(one): 1, str(two): 1}
    assert facets["inStock"] == 1
    facets = (await shop.search(mark, minPrice=80_000, minRating=4))["facets"]
    assert facets["prices"]["lowest"]["amount"] == 90_000
    facets = (await shop.search(mark, minPrice=80_000))["facets"]
    assert facets["prices"]["lowest"]["amount"] == 40_000


def counts(facet: list[dict[str, Any]]) -> dict[str, int]:
    return {each["id"]: each["count"] for each in facet}


def values(facets: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {
        facet["name"]: {each["value"]: each["count"] for each in facet["values"]}
        for facet in facets["attributes"]
    }


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


async def test_a_page_costs_the_same_statements_whatever_its_size(shop: SearchShop) -> None:
    mark = word()
    for n in range(3):
        await shop.put(f"{mark} {n}")
    sent_counts = []
    for limit in (1, 2, 3):
        with statements(shop.catalog) as sent:
            page = await shop.search(mark, limit=limit, sort="price")
        assert len(page["items"]) == limit
        sent_counts.append(len(sent))
    assert sent_counts[1] == sent_counts[2] <= MAX_STATEMENTS


async def test_a_search_is_remembered_for_a_while(catalog: Catalog) -> None:
    mark = word()
    shop = SearchShop(catalog)
    product_id = await shop.put(f"Kettle {mark}")
    await shop.search(mark)
    with statements(catalog) as sent:
        page = await shop.search(mark)
    assert page["items"][0]["id"] == str(product_id)
    assert sent == []


async def test_equal_searches_at_once_are_one(catalog: Catalog) -> None:
    mark = word()
    shop = SearchShop(catalog)
    await shop.put(f"Kettle {mark}")
    with statements(catalog) as sent:
        await shop.search(f"{mark} alone")
        alone = len(sent)
        pages = await asyncio.gather(*(shop.search(mark) for _ in range(20)))
    assert {page["total"] for page in pages} == {1}
    assert len(sent) - alone <= MAX_STATEMENTS


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


async def test_a_list_costs_the_same_statements_whatever_its_size(catalog: Catalog) -> None:
    for _ in range(3):
        await catalog.variant(1)
    sent_counts = []
    for limit in (1, 3):
        with statements(catalog) as sent:
            answer = await catalog.client.get(f"/api/products?limit={limit}&sort=price")
        assert len(answer.json()["items"]) == limit
        sent_counts.append(len(sent))
    assert sent_counts[0] == sent_counts[1] <= 6

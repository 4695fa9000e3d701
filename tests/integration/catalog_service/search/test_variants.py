"""Filters, prices, orders and facets mean one variant: red and in stock is a red one in stock."""

import itertools
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.catalog_service.search.searching import Offer, SearchShop, word
from tests.integration.catalog_service.search.test_filters import values

RED = Offer(10_000, 0, {"Colour": "Red", "Fit": "Slim", "Size (EU)": "M"})
BLUE = Offer(90_000, 5, {"Colour": "Blue", "Fit": "Wide", "Size (EU)": "L"})


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({}, True),
        ({"attr.Colour": "Red"}, True),
        ({"attr.Colour": "Red", "inStock": True}, False),
        ({"attr.Colour": "Blue", "inStock": True}, True),
        ({"attr.Colour": ["Red", "Blue"], "inStock": True}, True),
        ({"attr.Colour": "Red", "attr.Fit": "Wide"}, False),
        ({"attr.Colour": "Red", "attr.Fit": "Slim"}, True),
        ({"attr.Colour": "Red", "minPrice": 80_000}, False),
        ({"attr.Colour": "Red", "maxPrice": 20_000}, True),
        ({"attr.Colour": "Blue", "maxPrice": 20_000}, False),
        ({"inStock": True, "maxPrice": 20_000}, False),
        ({"inStock": True, "minPrice": 80_000}, True),
        ({"inStock": True, "minPrice": 80_000, "maxPrice": 95_000}, True),
        ({"inStock": True, "minPrice": 5_000, "maxPrice": 20_000}, False),
        ({"minPrice": 80_000}, True),
        ({"maxPrice": 20_000}, True),
        ({"minPrice": 20_000, "maxPrice": 80_000}, False),
        ({"minPrice": 5_000, "maxPrice": 20_000}, True),
        ({"minPrice": 95_000}, False),
        ({"attr.colour": "RED", "attr.FIT": "slim"}, True),
    ],
)
async def test_several_filters_mean_one_variant(
    shop: SearchShop, filters: dict[str, Any], is_found: bool
) -> None:
    mark = word()
    category = await shop.category(mark)
    await shop.put_of(mark, RED, BLUE, category_id=category)
    page = await shop.search(mark, **filters)
    assert (len(page["items"]), page["total"]) == (int(is_found), int(is_found))
    assert await shop.listed(categoryId=str(category), **filters) == [mark] * is_found


async def test_facets_count_the_variants_that_pass_every_filter_but_their_own(
    shop: SearchShop,
) -> None:
    mark = word()
    await shop.put_of(mark, RED, BLUE)

    facets = (await shop.search(mark))["facets"]
    assert (facets["prices"]["lowest"]["amount"], facets["prices"]["highest"]["amount"]) == (
        10_000,
        90_000,
    )
    steps = [(step["lowest"]["amount"], step["count"]) for step in facets["priceSteps"]]
    assert steps == [(0, 1), (50_000, 1)]
    assert facets["inStock"] == 1

    facets = (await shop.search(mark, inStock=True))["facets"]
    assert facets["prices"]["lowest"] == facets["prices"]["highest"]
    assert facets["prices"]["lowest"]["amount"] == 90_000
    assert values(facets)["Colour"] == {"Blue": 1}

    facets = (await shop.search(mark, inStock=True, **{"attr.Colour": "Red"}))["facets"]
    assert values(facets)["Colour"] == {"Blue": 1}
    assert facets["inStock"] == 0
    facets = (await shop.search(mark, **{"attr.Colour": "Red"}))["facets"]
    assert values(facets) == {
        "Colour": {"Blue": 1, "Red": 1},
        "Fit": {"Slim": 1},
        "Size (EU)": {"M": 1},
    }
    assert facets["inStock"] == 0
    assert facets["prices"]["highest"]["amount"] == 10_000


@pytest.mark.parametrize(
    ("filters", "order"),
    [
        ({}, ["a", "b", "c"]),
        ({"inStock": True}, ["b", "c", "a"]),
        ({"minPrice": 15_000}, ["b", "c", "a"]),
        ({"minPrice": 15_000, "maxPrice": 90_000, "inStock": True}, ["b", "c", "a"]),
        ({"attr.Fit": "Wide"}, ["c", "a", "b"]),
        ({"attr.Fit": "Wide", "inStock": True}, ["c", "a"]),
    ],
)
async def test_a_product_is_sorted_by_the_lowest_price_that_passes(
    shop: SearchShop, filters: dict[str, Any], order: list[str]
) -> None:
    mark = word()
    category = await shop.category(mark)
    wide = {"Fit": "Wide"}
    await shop.put_of(f"{mark} a", RED, BLUE, category_id=category)
    await shop.put_of(
        f"{mark} b", Offer(30_000, 3, {}), Offer(95_000, 0, wide), category_id=category
    )
    await shop.put_of(f"{mark} c", Offer(60_000, 1, wide), category_id=category)
    wanted = [f"{mark} {each}" for each in order]
    for sort, expected in (("price", wanted), ("-price", wanted[::-1])):
        assert await shop.names(mark, sort=sort, **filters) == expected
        for path, query in (("/search", {"q": mark}), ("", {"categoryId": str(category)})):
            assert await _page_by_page(shop, path, {**query, **filters, "sort": sort}) == expected


async def _page_by_page(shop: SearchShop, path: str, query: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        parameters = {**query, **cursor, "limit": 1}
        answer = await shop.catalog.client.get(f"/api/products{path}", params=parameters)
        page = answer.json()
        found += [item["name"] for item in page["items"]]
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}


async def test_a_variant_that_sells_out_takes_its_price_along(shop: SearchShop) -> None:
    mark = word()
    product_id = await shop.put_of(mark, Offer(10_000, 1, {}), Offer(90_000, 1, {}))
    assert await shop.names(mark, inStock=True, maxPrice=20_000) == [mark]
    await shop.sell_out(product_id, price=10_000)
    await shop.index(product_id)
    assert await shop.names(mark, inStock=True, maxPrice=20_001) == []
    assert await shop.names(mark, inStock=True, maxPrice=95_000) == [mark]


def passes(offer: Offer, filters: dict[str, Any]) -> bool:
    return (
        (offer.stock > 0 or not filters.get("inStock"))
        and filters.get("minPrice", 0) <= offer.price <= filters.get("maxPrice", 10**9)
        and all(
            offer.attributes.get(name.removeprefix("attr.")) == wanted
            for name, wanted in filters.items()
            if name.startswith("attr.")
        )
    )


async def test_whatever_the_filters_search_list_and_facets_judge_alike(shop: SearchShop) -> None:
    """All products of two variants against a plain reading of the rule."""
    mark = word()
    category = await shop.category(mark)
    kinds = [
        Offer(price, stock, {"Colour": colour, "Fit": fit})
        for price, stock, colour, fit in (
            (100, 0, "Red", "Slim"),
            (100, 5, "Blue", "Slim"),
            (200, 5, "Red", "Wide"),
            (300, 0, "Blue", "Wide"),
            (300, 5, "Red", "Slim"),
        )
    ]
    pairs = list(itertools.combinations(kinds, 2))
    for n, pair in enumerate(pairs):
        await shop.put_of(f"{mark} {n:02}", *pair, category_id=category)

    filters: list[dict[str, Any]] = [{}]
    for name, options in (
        ("inStock", [True]),
        ("minPrice", [150, 300]),
        ("maxPrice", [100, 250]),
        ("attr.Colour", ["Red"]),
        ("attr.Fit", ["Wide", "Slim"]),
    ):
        filters += [{**each, name: option} for each in filters for option in options]
    for each in filters:
        wanted = [
            f"{mark} {n:02}"
            for n, pair in enumerate(pairs)
            if any(passes(offer, each) for offer in pair)
        ]
        page = await shop.search(mark, limit=100, **each)
        assert sorted(item["name"] for item in page["items"]) == wanted, each
        assert page["total"] == len(wanted)
        listed = await shop.listed(categoryId=str(category), limit=100, **each)
        assert sorted(listed) == wanted, each
        _check_facets(page["facets"], pairs, each)


def _check_facets(
    facets: dict[str, Any], pairs: list[tuple[Offer, Offer]], filters: dict[str, Any]
) -> None:
    def matching(without: str, **more: Any) -> list[list[Offer]]:
        kept = {name: each for name, each in filters.items() if name not in without.split()}
        left = [[o for o in pair if passes(o, {**kept, **more})] for pair in pairs]
        return [each for each in left if each]

    priced = [offer.price for each in matching("minPrice maxPrice") for offer in each]
    prices = facets["prices"]
    ends = (prices and prices["lowest"]["amount"], prices and prices["highest"]["amount"])
    assert ends == (min(priced, default=None), max(priced, default=None)), filters
    assert facets["inStock"] == len(matching("inStock", inStock=True)), filters
    for label in ("Colour", "Fit"):
        for text in ("Red", "Blue") if label == "Colour" else ("Slim", "Wide"):
            expected = len(matching(f"attr.{label}", **{f"attr.{label}": text}))
            found = values(facets).get(label, {}).get(text, 0)
            assert found == expected, (filters, label, text)


LABELS = (
    *(
        "Size (EU)",
        "Größe",
        "a/b",
        "a & b",
        "50 %",
        "x.y",
        "a=b",
        "C++",
        "#1",
        "Men\u2019s",
        "It's",
    ),
    *("साइज़", "サイズ", "Cafe\u0301", "A;B", "q?", "[x]", '"quoted"', "back\\slash", "a,b", "😀"),
    *("attr.attr", "%20", "+", "$.x", "SIZE", "tab\there", "*", "_", "-", "<b>"),
)


@pytest.mark.parametrize("label", LABELS)
async def test_what_a_facet_hands_out_a_filter_takes(shop: SearchShop, label: str) -> None:
    mark = word()
    category = await shop.category(mark)
    await shop.put_of(mark, Offer(100, 1, {label: label}), category_id=category)
    (facet,) = (await shop.search(mark))["facets"]["attributes"]
    assert facet == {"name": label, "values": [{"value": label, "count": 1}]}
    await _check_round_trip(shop, mark, facet["name"], label)
    assert await shop.listed(**{"categoryId": str(category), f"attr.{label}": label}) == [mark]


async def _check_round_trip(shop: SearchShop, mark: str, label: str, text: str) -> None:
    queries = (
        urlencode({"q": mark, f"attr.{label}": text}),
        f"q={mark}&attr.{quote(label, safe='')}={quote(text, safe='')}",
    )
    for query in queries:
        answer = await shop.catalog.client.get(f"/api/products/search?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == 1, query


TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=64).filter(
    lambda text: bool(text.strip())
)


async def test_any_label_and_value_comes_back_from_a_facet_as_a_filter(shop: SearchShop) -> None:
    pairs: list[tuple[str, str]] = []

    @settings(
        max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(TEXT, TEXT)
    def gather(label: str, text: str) -> None:
        pairs.append((label, text))

    gather()
    for label, text in pairs:
        mark = word()
        await shop.put_of(mark, Offer(100, 1, {label: text}))
        facets = (await shop.search(mark))["facets"]["attributes"]
        assert facets == [{"name": label, "values": [{"value": text, "count": 1}]}]
        await _check_round_trip(shop, mark, label, text)


async def test_what_differs_by_case_alone_is_one_value_of_a_facet(shop: SearchShop) -> None:
    mark = word()
    for n, (label, text) in enumerate(
        (("Colour", "Red"), ("colour", "RED"), ("Colour", "red"), ("Colour", "Red"))
    ):
        await shop.put_of(f"{mark} {n}", Offer(100, 1, {label: text}))
    page = await shop.search(mark)
    assert values(page["facets"]) == {"Colour": {"Red": 4}}
    assert (await shop.search(mark, **{"attr.Colour": "Red"}))["total"] == 4
    page = await shop.search(mark, **{"attr.cOLOUR": "rED"})
    assert values(page["facets"]) == {"Colour": {"Red": 4}}


async def test_an_empty_value_is_not_handed_out(shop: SearchShop) -> None:
    mark = word()
    await shop.put_of(mark, Offer(100, 1, {"Colour": "", "Size": "M"}))
    assert values((await shop.search(mark))["facets"]) == {"Size": {"M": 1}}

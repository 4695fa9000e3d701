"""Filters narrow what is found, and facets count what they would leave."""

from typing import Any

from common_lib.ids import new_id
from tests.integration.catalog_service.search.searching import SearchShop, word


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

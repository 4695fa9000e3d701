"""Search over HTTP: which words find what, and in which order. One suite for both backends."""

import pytest

from catalog_service.models import ProductStatus
from tests.integration.catalog_service.search.searching import SearchShop, word


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


@pytest.mark.parametrize("q", ["the {}", "{} for the", "a {} is not the", "THE the {}"])
async def test_stop_words_beside_others_ask_for_nothing(shop: SearchShop, q: str) -> None:
    mark = word()
    await shop.put(f"Shirt {mark}")
    assert await shop.names(q.format(mark)) == [f"Shirt {mark}"]


async def test_stop_words_alone_are_words(shop: SearchShop) -> None:
    mark = word()
    category = await shop.category(mark)
    for name in ("The The", "Others"):
        await shop.put(name, category_id=category, description="")
    for q in ("the", "the the", '"the"', "The!"):
        assert await shop.names(q, categoryId=str(category)) == ["The The"]


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        (
            "T-Shirt",
            ["shirts", "the shirt", "t-shirts", "tshirt", "tshirts", "t shirt", "T Shirts"],
        ),
        ("T Shirt", ["tshirt", "t-shirt", "t-shirts", "shirts"]),
        ("Tshirt", ["t shirt", "t-shirt", "tshirts", "t shirts"]),
        ("Battery", ["batteries", "the batteries"]),
        ("Batteries", ["battery", "batterys"]),
        ("Men's shoes", ["man shoe", "mens", "men", "men\u2019s shoe", "shoes for men"]),
        ("Knife", ["knives"]),
        ("Shelves", ["shelf"]),
        ("Boxes", ["box", "boxes"]),
        ("Running shorts", ["run short", "runs"]),
    ],
)
async def test_a_word_is_found_by_its_other_forms(
    shop: SearchShop, name: str, queries: list[str]
) -> None:
    mark = word()
    await shop.put(f"{name} {mark}", description="")
    await shop.put(f"Other {mark}", description=f"About {name}")
    for q in queries:
        found = await shop.names(f"{q} {mark}")
        assert found == [f"{name} {mark}", f"Other {mark}"], q
        page = await shop.search(f"{q} {mark}", sort="newest", limit=1)
        assert page["total"] == 2


@pytest.mark.parametrize("q", ["tv", "TV", "4k", "hp", "c++", "C", "who", "x"])
async def test_short_words_are_words(shop: SearchShop, q: str) -> None:
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

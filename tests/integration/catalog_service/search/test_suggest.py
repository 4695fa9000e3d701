"""Suggestions over HTTP: one suite for both backends."""

from collections.abc import Callable

import pytest

from catalog_service.models import ProductStatus
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.search.searching import SearchShop, word


async def test_the_beginning_of_a_word_is_completed(shop: SearchShop) -> None:
    brand = word()
    product_id = await shop.put(f"{brand.title()} Galaxy S")
    answer = await shop.catalog.client.get("/api/products/suggest", params={"q": brand[:8]})
    word_found, product = answer.json()["items"]
    assert word_found == {"text": brand, "productId": None, "slug": None, "categoryId": None}
    assert (product["text"], product["productId"]) == (f"{brand.title()} Galaxy S", str(product_id))
    assert product["slug"]
    assert product["categoryId"]


@pytest.mark.parametrize(
    "typo",
    [
        lambda w: w[:5] + w[6:],  # one too few
        lambda w: w[:5] + "q" + w[5:],  # one too many
        lambda w: w[:5] + "q" + w[6:],  # a wrong one
        lambda w: w[:5] + w[6] + w[5] + w[7:],  # two that changed places
        lambda w: w[1:],  # the first one missing
        lambda w: "q" + w[1:],  # the first one wrong
        lambda w: w[1] + w[0] + w[2:],  # the first two changed places
        lambda w: w[:-2] + w[-1],  # in the last letters
    ],
)
@pytest.mark.parametrize("length", [14, 9])
async def test_one_typo_is_forgiven(
    shop: SearchShop, typo: Callable[[str], str], length: int
) -> None:
    brand = spread_word()
    await shop.put(f"{brand} phone")
    assert f"{brand} phone" in await shop.suggest(typo(brand[:length]))


async def test_two_typos_are_not_forgiven(shop: SearchShop) -> None:
    brand = spread_word()
    await shop.put(f"{brand} phone")
    assert await shop.suggest("q" + brand[1:7] + "q" + brand[8:]) == []


@pytest.mark.parametrize(
    ("name", "typed"),
    [("samsung", "samsng"), ("iphone", "iphnoe"), ("samsung", "smasu"), ("iphone", "ihpo")],
)
async def test_familiar_names_are_found(shop: SearchShop, name: str, typed: str) -> None:
    await shop.put(f"{name.title()} of the test")
    assert any(name in text.lower() for text in await shop.suggest(typed))


async def test_a_typo_in_an_earlier_word_is_forgiven_too(shop: SearchShop) -> None:
    brand = spread_word()
    await shop.put(f"{brand} kettle")
    await shop.put(f"{brand} lamp")
    typed = f"{brand[:6]}{brand[7:]} kett"
    assert await shop.suggest(typed) == [f"{brand} kettle"]


async def test_what_is_sold_most_is_suggested_first(shop: SearchShop) -> None:
    brand = word()
    for name, units in (("quiet", 1), ("loved", 90), ("known", 9)):
        await shop.sold(await shop.put(f"{brand} {name}"), units)
    texts = await shop.suggest(f"{brand} ") or []
    assert [text for text in texts if " " in text] == [
        f"{brand} loved",
        f"{brand} known",
        f"{brand} quiet",
    ]


async def test_only_what_can_be_bought_is_suggested(shop: SearchShop) -> None:
    brand = word()
    await shop.put(f"{brand} draft", status=ProductStatus.DRAFT)
    assert await shop.suggest(brand) == []


async def test_a_text_is_suggested_once(shop: SearchShop) -> None:
    brand = word()
    for _ in range(3):
        await shop.put(brand)
    assert await shop.suggest(brand[:9]) == [brand]


async def test_there_are_eight_at_most(shop: SearchShop) -> None:
    brand = word()
    for n in range(12):
        await shop.put(f"{brand} {n}")
    assert len(await shop.suggest(brand)) == 8


async def test_accents_and_other_scripts_are_completed(shop: SearchShop) -> None:
    mark = word()
    await shop.put(f"Café {mark}")
    await shop.put(f"समोसा {mark}")
    assert await shop.suggest(f"{mark} caf") == [f"Café {mark}"]
    assert await shop.suggest(f"{mark} समो") == [f"समोसा {mark}"]


@pytest.mark.parametrize("q", ["a", "+", "(", "%", "_", "'", "\\", "🚚", "' OR 1=1--", "x" * 100])
async def test_odd_beginnings_are_harmless(shop: SearchShop, q: str) -> None:
    assert len(await shop.suggest(q)) <= 8


@pytest.mark.parametrize(
    "query", ["", "q=", "q=%20", "q=" + "x" * 101, "q=a%00", "q=a&limit=5", "q=a&x=1"]
)
async def test_an_odd_query_is_refused(catalog: Catalog, query: str) -> None:
    answer = await catalog.client.get(f"/api/products/suggest?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def spread_word() -> str:
    """Return a new word in which no two neighbours are the same letter, and no q."""
    letters = list(word())
    for n in range(1, len(letters)):
        if letters[n] == letters[n - 1]:
            letters[n] = chr(ord(letters[n]) + 1) if letters[n] != "p" else "r"
            if n + 1 < len(letters) and letters[n] == letters[n + 1]:
                letters[n] = "s"
    return "".join(letters)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("T-Shirt {}", "{} shirts"),
        ("Battery {}", "{} batteries"),
        ("T-Shirt {}", "the {} shirt"),
        ("T-Shirt {}", "{} for the"),
        ("Shirt for {}", "the {}"),
    ],
)
async def test_other_forms_and_stop_words_are_suggested_for(
    shop: SearchShop, name: str, typed: str
) -> None:
    mark = word()
    await shop.put(name.format(mark))
    assert name.format(mark) in await shop.suggest(typed.format(mark))

"""Changes of a product reach search through the outbox, SNS, SQS and the catalog's worker.

Answers are kept for five minutes by their query, so every look asks for another lowest price: the
same products pass, and the cache has no answer yet.
"""

import itertools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.shopper import Shopper
from tests.waiting import eventually

SOON_S = 20.0


class Searches:
    """Looks for words, each time by a query that was not asked before."""

    def __init__(self, guest: Shopper) -> None:
        self._guest = guest
        self._bounds = itertools.count(1)

    async def names(self, word: str, **filters: Any) -> list[str]:
        query = {"q": word, "minPrice": next(self._bounds), **filters}
        answer = await self._guest.request("GET", "/api/products/search", params=query)
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json()["items"]]

    async def will_be(self, names: list[str], word: str, **filters: Any) -> None:
        async def is_so() -> bool:
            return await self.names(word, **filters) == names

        await eventually(is_so, timeout_s=SOON_S, what=f"{names} found by {word} {filters}")


@pytest.fixture
def searches(somebody: Callable[[], Shopper]) -> Searches:
    return Searches(somebody())


def new_word() -> str:
    return "seek" + uuid4().hex[:12].translate(str.maketrans("0123456789", "ghijklmnop"))


async def done(caller: Shopper, method: str, path: str, **arguments: Any) -> Any:
    answer = await caller.request(method, path, **arguments)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


async def new_product(
    admin: Shopper, name: str, attributes: dict[str, str] | None = None
) -> dict[str, Any]:
    category = await done(
        admin, "POST", "/api/categories", json={"name": f"Seeking {uuid4().hex[:8]}"}
    )
    variant = {
        "sku": f"SEEK-{uuid4().hex[:12]}",
        "name": "One",
        "price": {"amount": 99_900, "currency": "INR"},
        "quantity": 1,
        "attributes": attributes or {},
    }
    body = {
        "name": name,
        "description": "Sought and found.",
        "categoryId": category["id"],
        "status": "ACTIVE",
        "variants": [variant],
    }
    product: dict[str, Any] = await done(admin, "POST", "/api/products", json=body)
    return product


async def test_what_becomes_of_a_product_is_seen_by_search(
    admin: Shopper, shopper: Shopper, searches: Searches
) -> None:
    first, second = new_word(), new_word()
    product = await new_product(admin, f"Lantern {first}")
    path = f"/api/products/{product['id']}"
    await searches.will_be([f"Lantern {first}"], first)
    await searches.will_be([f"Lantern {first}"], first, inStock="true")

    changed = {key: product[key] for key in ("description", "categoryId")}
    await done(admin, "PUT", path, json={"name": f"Lantern {second}", **changed})
    await searches.will_be([f"Lantern {second}"], second)
    await searches.will_be([], first)

    items = [{"variantId": product["variants"][0]["id"], "quantity": 1}]
    assert (await shopper.place(items)).status_code in {201, 202}
    await searches.will_be([], second, inStock="true")
    await searches.will_be([f"Lantern {second}"], second)

    await done(admin, "DELETE", path)
    await searches.will_be([], second)


LABELS = ("Size (EU)", "a/b", "50 %", "Größe", "x.y", "C++", "साइज़", "a & b", "a=b", "#1")


async def test_every_label_that_a_facet_hands_out_is_a_filter(
    admin: Shopper, somebody: Callable[[], Shopper], searches: Searches
) -> None:
    mark = new_word()
    await new_product(admin, f"Lantern {mark}", {label: f"{label}!" for label in LABELS})
    await searches.will_be([f"Lantern {mark}"], mark)
    page = await done(somebody(), "GET", "/api/products/search", params={"q": mark})
    facets = {facet["name"]: facet["values"] for facet in page["facets"]["attributes"]}
    assert facets.keys() == set(LABELS)
    for label, values in facets.items():
        for each in values:
            asked = {f"attr.{label}": each["value"]}
            assert await searches.names(mark, **asked) == [f"Lantern {mark}"], asked
            assert await searches.names(mark, **{f"attr.{label}": "another"}) == [], label

"""A store from its application to its suspension, through the gateway and the real workers."""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image

from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.shopper import Shopper, line
from tests.waiting import eventually

# More than the web process moves at once when a store is suspended: the rest is the worker's.
MANY = 130


@dataclass(frozen=True)
class Store:
    """An open store with a category of its own, and what its owner does in it."""

    owner: Shopper
    id: str
    category: Mapping[str, Any]

    async def sends(self, method: str, path: str, status: int, **arguments: Any) -> Any:
        """Return the answer's JSON, or nothing where it has no body."""
        return await done(self.owner, method, path, status, **arguments)

    async def lists(self, name: str, **changes: Any) -> dict[str, Any]:
        body = product_in(self.category["id"], name) | changes
        product: dict[str, Any] = await self.sends("POST", "/api/products", 201, json=body)
        return product

    async def imports(self, body: bytes) -> dict[str, Any]:
        """Hand a file in and return the report once it is carried out."""
        headers = {"content-type": "text/csv"}
        job = await self.sends("POST", "/api/products/import", 202, content=body, headers=headers)

        async def report() -> dict[str, Any] | None:
            found = await self.sends("GET", f"/api/imports/{job['id']}", 200)
            return found if found["status"] in {"DONE", "FAILED"} else None

        found: dict[str, Any] = await eventually(report, timeout_s=60, what="the import")
        return found


async def done(caller: Shopper, method: str, path: str, status: int, **arguments: Any) -> Any:
    answer = await caller.request(method, path, **arguments)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def product_in(category_id: str, name: str) -> dict[str, Any]:
    tag = uuid4().hex[:12]
    return {
        "name": name,
        "description": "A lamp that shines.",
        "categoryId": category_id,
        "status": "ACTIVE",
        "variants": [
            {
                "sku": f"L-{tag}-{colour}",
                "name": colour,
                "price": {"amount": price, "currency": "INR"},
                "attributes": {"colour": colour},
                "quantity": 5,
                "reorderLevel": 3,
            }
            for colour, price in (("Red", 49_900), ("Blue", 59_900))
        ],
    }


def new_word() -> str:
    """Return a word that no other product has; in letters, as numbers are not suggested."""
    return "glow" + uuid4().hex[:10].translate(str.maketrans("0123456789", "ghijklmnop"))


async def new_category(admin: Shopper, parent_id: str | None = None) -> dict[str, Any]:
    body = {"name": f"Lamps {uuid4().hex[:10]}", "parentId": parent_id}
    category: dict[str, Any] = await done(admin, "POST", "/api/categories", 201, json=body)
    return category


async def applied(owner: Shopper) -> str:
    body = {"storeName": f"Lamps of {uuid4().hex[:8]}", "description": "Lamps, all of them."}
    store = await done(owner, "POST", "/api/sellers", 201, json=body)
    assert store["status"] == "PENDING"
    return str(store["id"])


async def set_store(admin: Shopper, store_id: str, status: str) -> None:
    await done(admin, "PATCH", f"/api/sellers/{store_id}/status", 200, json={"status": status})


@pytest.fixture
async def store(shopper: Shopper, admin: Shopper) -> Store:
    """The store of the shopper, approved; the owner's token is the one from before."""
    store_id = await applied(shopper)
    await set_store(admin, store_id, "ACTIVE")
    category = await new_category(admin)

    async def may_sell() -> bool:
        answer = await shopper.request("GET", "/api/inventory/low-stock")
        return answer.status_code == 200

    await eventually(may_sell, timeout_s=5, what="the owner's role")
    return Store(shopper, store_id, category)


@pytest.fixture
def guest(somebody: Callable[[], Shopper]) -> Shopper:
    """A caller without any token."""
    return somebody()


async def page(caller: Shopper, product: Mapping[str, Any]) -> httpx2.Response:
    return await caller.request("GET", f"/api/products/{product['id']}")


async def found(caller: Shopper, word: str, **params: Any) -> list[str]:
    """Return the ids that a search finds. Other parameters make it another search, kept apart."""
    answer = await done(caller, "GET", "/api/products/search", 200, params={"q": word} | params)
    return [item["id"] for item in answer["items"]]


async def soon(check: Callable[[], Awaitable[bool]], what: str, timeout_s: float = 30) -> None:
    await eventually(check, timeout_s=timeout_s, what=what)


async def test_an_applicant_sells_within_a_second_of_being_approved(
    shopper: Shopper, admin: Shopper
) -> None:
    category = await new_category(admin)
    body = product_in(category["id"], "Lamp")
    store_id = await applied(shopper)
    refused = await shopper.request("POST", "/api/products", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "role_not_allowed")
    waiting = await done(admin, "GET", "/api/sellers?status=PENDING&limit=100", 200)
    assert store_id in [each["id"] for each in waiting["items"]]

    await set_store(admin, store_id, "ACTIVE")

    async def sells() -> bool:
        return (await shopper.request("POST", "/api/products", json=body)).status_code == 201

    await soon(sells, "the token from before the approval sells", timeout_s=1)


async def test_a_draft_with_a_picture_is_published_and_found(store: Store, guest: Shopper) -> None:
    word = new_word()
    draft = await store.lists(f"Lamp {word}", status="DRAFT")
    variant_id = draft["variants"][0]["id"]
    assert (await page(guest, draft)).status_code == 404
    stock = f"/api/inventory/{variant_id}"
    assert (await guest.request("GET", stock)).status_code == 404
    assert (await store.sends("GET", stock, 200))["quantity"] == 5
    picture = await with_picture(store, draft)

    path = f"/api/products/{draft['id']}/status"
    await store.sends("PATCH", path, 200, json={"status": "ACTIVE"})

    async def is_shown() -> bool:
        answer = await page(guest, draft)
        shown = answer.status_code == 200 and answer.json()["images"]
        return bool(shown) and (await guest.request("GET", stock)).status_code == 200

    await soon(is_shown, "the page and the stock", timeout_s=1)
    assert (await page(guest, draft)).json()["images"][0]["url"] == picture

    async def is_found() -> bool:
        return await found(guest, word) == [draft["id"]]

    async def is_suggested() -> bool:
        path = f"/api/products/suggest?q={word[:-3]}"
        items = (await done(guest, "GET", path, 200))["items"]
        return any(word in item["text"].lower() for item in items)

    await soon(is_found, "search finds it")
    await soon(is_suggested, "what is typed is completed")
    assert await found(guest, word, **{"attr.colour": "Blue"}) == [draft["id"]]
    assert await found(guest, word, **{"attr.colour": "Green"}) == []


async def with_picture(store: Store, product: Mapping[str, Any]) -> str:
    """Upload a picture as a browser does, attach it, and return its address."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    images = f"/api/products/{product['id']}/images"
    wanted = {"contentType": "image/png", "sizeBytes": len(out.getvalue())}
    form = await store.sends("POST", f"{images}/presign", 200, json=wanted)
    async with httpx2.AsyncClient(timeout=30) as browser:
        files = {"file": ("lamp.png", out.getvalue(), "image/png")}
        posted = await browser.post(form["uploadUrl"], data=form["fields"], files=files)
        assert posted.status_code == 204, posted.text
        attached = await store.sends("POST", images, 201, json={"key": form["key"]})
        shown = await browser.get(attached["url"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")

        async def is_swept() -> bool:
            return not (await browser.get(f"{form['uploadUrl']}/{form['key']}")).is_success

        await soon(is_swept, "the upload itself is deleted")
    url: str = attached["url"]
    return url


async def test_a_sale_is_seen_in_stock_ledger_and_low_stock_list(
    stack: NativeStack, store: Store, other: Shopper
) -> None:
    product = await store.lists("Lamp")
    variant_id = product["variants"][0]["id"]
    stock = f"/api/inventory/{variant_id}"
    assert (await done(other, "GET", stock, 200))["available"] == 5
    assert await low_stock(store) == []

    placed = await other.place([line(variant_id, 2)])
    assert placed.status_code == 201, placed.text

    async def is_sold() -> bool:
        counters = await store.sends("GET", stock, 200)
        return (counters["quantity"], counters["reserved"]) == (3, 0)

    await soon(is_sold, "the units left the shelf")
    ledger = (await store.sends("GET", f"{stock}/movements", 200))["items"]
    moves = [(row["kind"], row["quantityDelta"], row["reservedDelta"]) for row in ledger]
    assert moves == [("CONSUME", -2, -2), ("RESERVE", 0, 2), ("INITIAL", 5, 0)]
    assert await low_stock(store) == [variant_id]

    async def is_told() -> bool:
        shown = (await page(other, product)).json()["variants"][0]["available"]
        return bool((await done(other, "GET", stock, 200))["available"] == shown == 3)

    await soon(is_told, "the page and the stock show what is left")
    body = {"delta": 10, "reason": "delivery", "kind": "RESTOCK"}
    await store.sends("POST", f"{stock}/adjust", 200, json=body)
    assert await low_stock(store) == []
    await assert_invariants(stack)


async def low_stock(store: Store) -> list[str]:
    items = (await store.sends("GET", "/api/inventory/low-stock", 200))["items"]
    return [item["variantId"] for item in items]


async def test_a_category_moves_with_all_that_is_in_it(
    store: Store, admin: Shopper, guest: Shopper
) -> None:
    product, above = await store.lists("Lamp"), await new_category(admin)
    under = f"/api/products/category/{above['id']}"
    assert (await done(guest, "GET", under, 200))["items"] == []

    path = f"/api/categories/{store.category['id']}/move"
    await done(admin, "POST", path, 200, json={"parentId": above["id"]})

    async def is_below() -> bool:
        tree = (await done(guest, "GET", "/api/categories", 200))["items"]
        (branch,) = [each for each in tree if each["id"] == above["id"]]
        return [child["id"] for child in branch["children"]] == [store.category["id"]]

    await soon(is_below, "the tree", timeout_s=1)
    listed = (await done(guest, "GET", under, 200))["items"]
    assert [item["id"] for item in listed] == [product["id"]]
    circle = await admin.request(
        "POST",
        f"/api/categories/{above['id']}/move",
        json={"parentId": store.category["id"]},
    )
    assert (circle.status_code, circle.json()["code"]) == (409, "category_cycle")
    gone = await admin.request("DELETE", f"/api/categories/{store.category['id']}")
    assert (gone.status_code, gone.json()["code"]) == (409, "category_not_empty")


async def test_a_file_goes_out_is_changed_and_comes_back(store: Store, guest: Shopper) -> None:
    product = await store.lists(f"Lamp {new_word()}")
    exported = await store.owner.request("GET", "/api/products/export")
    assert exported.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.text, newline="")))
    assert len(rows) == 2

    same = await store.imports(exported.content)
    assert (same["unchangedRows"], same["doneRows"]) == (2, 2)

    rows[0]["price"] = "123.45"
    changed = await store.imports(written(rows))

    assert (changed["updatedRows"], changed["unchangedRows"], changed["errors"]) == (1, 1, [])

    async def is_shown() -> bool:
        variants = (await page(guest, product)).json()["variants"]
        return bool(min(v["price"]["amount"] for v in variants) == 12_345)

    await soon(is_shown, "the new price", timeout_s=1)
    assert (await page(guest, product)).json()["version"] == product["version"] + 1


def written(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


async def test_a_suspended_store_leaves_the_shop_and_comes_back(
    store: Store, admin: Shopper, other: Shopper
) -> None:
    word = new_word()
    product = await store.lists(f"Lamp {word}")
    variant_id = product["variants"][0]["id"]
    await store.imports(written([many_row(store, word, n) for n in range(MANY)]))
    wishes = f"/api/wishlists/{other.user_id}"
    await done(other, "POST", wishes, 201, json={"productId": product["id"]})

    async def all_found() -> bool:
        path = f"/api/products/search?q={word}&minPrice={fresh()}"
        return bool((await done(other, "GET", path, 200))["total"] == MANY + 1)

    await soon(all_found, "search finds what was imported")

    await set_store(admin, store.id, "SUSPENDED")

    async def is_hidden() -> bool:
        return (await page(other, product)).status_code == 404

    await soon(is_hidden, "the page is gone", timeout_s=2)
    assert (await other.request("GET", f"/api/inventory/{variant_id}")).status_code == 404
    assert (await other.place([line(variant_id)])).status_code in {409, 422}
    wish = (await done(other, "GET", wishes, 200))["items"][0]["product"]
    assert (wish["id"], wish["isForSale"], wish["available"]) == (product["id"], False, 0)
    refused = await store.owner.request("POST", "/api/products", json=product_in(uuid(), "Lamp"))
    assert (refused.status_code, refused.json()["code"]) == (403, "seller_not_active")
    await soon(lambda: on_sale(admin, store, 0), "the worker hides the rest")

    async def none_found() -> bool:
        return await found(other, word, limit=7, sort="newest", minPrice=fresh()) == []

    await soon(none_found, "search forgets them")

    await set_store(admin, store.id, "ACTIVE")

    await soon(lambda: on_sale(admin, store, MANY + 1), "all come back")
    assert (await page(other, product)).status_code == 200
    assert (await other.place([line(variant_id)])).status_code == 201


def many_row(store: Store, word: str, number: int) -> dict[str, str]:
    return {
        "product_name": f"Lamp {word} {number}",
        "description": "One of many.",
        "category": store.category["slug"],
        "status": "ACTIVE",
        "sku": f"{word}-{number}",
        "variant_name": "One",
        "price": "99.00",
        "quantity": "1",
    }


async def on_sale(admin: Shopper, store: Store, wanted: int) -> bool:
    """Tell whether the store has exactly so many products on sale."""
    path = f"/api/products/export?sellerId={store.id}&status=ACTIVE"
    answer = await admin.request("GET", path)
    skus = csv.DictReader(io.StringIO(answer.text, newline=""))
    return len({row["handle"] for row in skus}) == wanted


def uuid() -> str:
    return str(uuid4())


_prices = iter(range(1, 10_000))


def fresh() -> int:
    """Return a lowest price that no search has named yet: answers are kept for five minutes."""
    return next(_prices)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_link_that_people_kept_leads_on_through_the_gateway(
    store: Store, admin: Shopper, guest: Shopper, method: str
) -> None:
    tag = uuid4().hex[:10]
    product = await store.lists(f"Lamp {tag}", slug=f"lamp-{tag}")
    body = {name: product[name] for name in ("name", "description", "categoryId")}
    for slug in (f"lantern-{tag}", f"light-{tag}"):
        path = f"/api/products/{product['id']}"
        await store.sends("PUT", path, 200, json=body | {"slug": slug})
    category = await new_category(admin)
    renamed = {"name": category["name"], "slug": f"lights-{tag}"}
    await done(admin, "PUT", f"/api/categories/{category['id']}", 200, json=renamed)

    for kind, old, new in (
        ("products", f"lamp-{tag}", f"light-{tag}"),
        ("products", f"lantern-{tag}", f"light-{tag}"),
        ("categories", category["slug"], f"lights-{tag}"),
    ):
        moved = await guest.request(method, f"/api/{kind}/slug/{old}")
        assert moved.status_code == 301, moved.text
        assert moved.headers["location"] == f"/api/{kind}/slug/{new}"
        assert (await guest.request(method, moved.headers["location"])).status_code == 200

"""Products over HTTP: creating, changing, showing."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus, SellerStatus
from common_lib.auth import Role
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.waiting import eventually

UNKNOWN = "01900000-0000-7000-8000-000000000000"


async def body(catalog: Catalog, **changes: Any) -> dict[str, Any]:
    variant = {
        "sku": f"SKU-{new_id().hex}",
        "name": "M / Blue",
        "price": {"amount": 149_900, "currency": "INR"},
        "compareAtPrice": {"amount": 199_900, "currency": "INR"},
        "attributes": {"size": "M"},
        "quantity": 7,
        "reorderLevel": 2,
    }
    return {
        "name": "Cotton Kurta",
        "description": "Hand-made <script>alert(1)</script>",
        "categoryId": str(await catalog.category()),
        "status": "ACTIVE",
        "variants": [variant | changes.pop("variant", {})],
    } | changes


async def created(catalog: Catalog, headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    given = await body(catalog, **changes)
    answer = await catalog.client.post("/api/products", json=given, headers=headers)
    assert answer.status_code == 201, answer.text
    product: dict[str, Any] = answer.json()
    return product


def edit(product: dict[str, Any], **changes: Any) -> dict[str, Any]:
    kept = {name: product[name] for name in ("name", "description", "categoryId")}
    return kept | changes


async def test_a_seller_lists_a_product(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    product = await created(catalog, catalog.bearer(Role.SELLER, user_id))
    assert product["sellerId"] == str(seller_id)
    assert product["version"] == 1
    assert product["variants"][0]["available"] == 7
    assert product["slug"].startswith("cotton-kurta-")
    assert await catalog.events(UUID(product["id"])) == ["PRODUCT_CREATED"]
    assert (await catalog.shelf(UUID(product["variants"][0]["id"]))).adds_up


async def test_a_new_product_is_shown_as_it_was_answered(catalog: Catalog) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN))
    shown = await catalog.client.get(f"/api/products/{product['id']}")
    assert shown.json() == product


async def test_without_a_status_it_is_a_draft_for_its_owner_only(catalog: Catalog) -> None:
    _, user_id = await catalog.seller()
    headers = catalog.bearer(Role.SELLER, user_id)
    given = await body(catalog)
    del given["status"]
    product = (await catalog.client.post("/api/products", json=given, headers=headers)).json()
    assert product["status"] == "DRAFT"
    path = f"/api/products/{product['id']}"
    assert (await catalog.client.get(path)).status_code == 404
    stranger = catalog.bearer(Role.CUSTOMER)
    assert (await catalog.client.get(path, headers=stranger)).status_code == 404
    assert (await catalog.client.get(path, headers=headers)).json() == product


@pytest.mark.parametrize(
    ("role", "code"), [(Role.CUSTOMER, "role_not_allowed"), (Role.SELLER, "seller_not_active")]
)
async def test_who_has_no_store_lists_nothing(catalog: Catalog, role: Role, code: str) -> None:
    answer = await catalog.client.post(
        "/api/products", json=await body(catalog), headers=catalog.bearer(role)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("status", [SellerStatus.PENDING, SellerStatus.SUSPENDED])
async def test_a_store_that_is_not_active_lists_nothing(
    catalog: Catalog, status: SellerStatus
) -> None:
    _, user_id = await catalog.seller(status)
    answer = await catalog.client.post(
        "/api/products", json=await body(catalog), headers=catalog.bearer(Role.SELLER, user_id)
    )
    assert answer.status_code == 403


async def test_without_a_token_nothing_is_listed(catalog: Catalog) -> None:
    answer = await catalog.client.post("/api/products", json=await body(catalog))
    assert (answer.status_code, answer.json()["code"]) == (401, "auth_required")


@pytest.mark.parametrize("amount", [-1, 0.001, 10**12])
async def test_a_price_out_of_bounds_is_refused(catalog: Catalog, amount: float) -> None:
    given = await body(catalog, variant={"price": {"amount": amount, "currency": "INR"}})
    answer = await catalog.client.post(
        "/api/products", json=given, headers=catalog.bearer(Role.ADMIN)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/variants/0/price/amount"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"categoryId": UNKNOWN}, "/categoryId"),
        ({"variants": []}, "/variants"),
        ({"sellerId": UNKNOWN}, "/sellerId"),
        ({"name": "  "}, "/name"),
        ({"status": "ARCHIVED"}, "/status"),
    ],
)
async def test_an_odd_product_is_refused_at_its_place(
    catalog: Catalog, changes: dict[str, Any], pointer: str
) -> None:
    answer = await catalog.client.post(
        "/api/products", json=await body(catalog, **changes), headers=catalog.bearer(Role.ADMIN)
    )
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_a_sku_is_given_once(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers)
    sku = product["variants"][0]["sku"].lower()
    answer = await catalog.client.post(
        "/api/products", json=await body(catalog, variant={"sku": sku}), headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")


async def test_a_product_is_answered_304_while_it_is_the_same(catalog: Catalog) -> None:
    product_id = await catalog.product_of(await catalog.variant(5))
    path = f"/api/products/{product_id}"
    tag = (await catalog.client.get(path)).headers["etag"]
    again = await catalog.client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_change_is_seen_at_once_by_every_process(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    headers = here.bearer(Role.ADMIN)
    product = await created(here, headers)
    path = f"/api/products/{product['id']}"
    for process in (here, there):
        await process.client.get(path)
    changed = await here.client.put(path, json=edit(product, name="New"), headers=headers)
    assert changed.json()["version"] == 2
    assert (await here.client.get(path)).json()["name"] == "New"

    async def is_new() -> bool:
        return bool((await there.client.get(path)).json()["name"] == "New")

    await eventually(is_new, timeout_s=1.5)


async def test_a_stale_if_match_fails_and_a_stale_version_conflicts(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers)
    path = f"/api/products/{product['id']}"
    tag = (await catalog.client.get(path)).headers["etag"]
    first = await catalog.client.put(
        path, json=edit(product, name="Two"), headers=headers | {"If-Match": tag}
    )
    assert first.status_code == 200
    stale = await catalog.client.put(
        path, json=edit(product, name="Three"), headers=headers | {"If-Match": tag}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    behind = await catalog.client.put(path, json=edit(product, version=1), headers=headers)
    assert (behind.status_code, behind.json()["code"]) == (409, "stale_version")
    events = await catalog.events(UUID(product["id"]))
    assert events == ["PRODUCT_CREATED", "PRODUCT_UPDATED"]


async def test_of_two_changes_of_one_version_one_wins(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers)
    path = f"/api/products/{product['id']}"
    answers = await asyncio.gather(
        *(
            catalog.client.put(path, json=edit(product, name=f"N{n}", version=1), headers=headers)
            for n in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_a_variant_changes_its_price_and_the_product_its_version(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers)
    variants = [{"id": product["variants"][0]["id"], "price": {"amount": 5, "currency": "INR"}}]
    answer = await catalog.client.put(
        f"/api/products/{product['id']}", json=edit(product, variants=variants), headers=headers
    )
    assert answer.json()["variants"][0]["price"]["amount"] == 5
    assert answer.json()["version"] == 2


async def test_a_seller_does_not_find_anothers_product(catalog: Catalog) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN))
    _, user_id = await catalog.seller()
    answer = await catalog.client.put(
        f"/api/products/{product['id']}",
        json=edit(product),
        headers=catalog.bearer(Role.SELLER, user_id),
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("product_id", ["x", UNKNOWN, "../etc"])
async def test_what_does_not_exist_is_not_found(catalog: Catalog, product_id: str) -> None:
    answer = await catalog.client.get(f"/api/products/{product_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_products_are_read_while_redis_is_away(open_catalog: OpenCatalog) -> None:
    catalog = await open_catalog(redis_url="redis://127.0.0.1:1/0")
    product_id = await catalog.product_of(await catalog.variant(5))
    for _ in range(2):
        assert (await catalog.client.get(f"/api/products/{product_id}")).status_code == 200


async def test_an_archived_product_leaves_the_shop(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers)
    path = f"/api/products/{product['id']}"
    archived = ProductStatus.ARCHIVED.value
    await catalog.client.put(path, json=edit(product, status=archived), headers=headers)
    assert (await catalog.client.get(path)).status_code == 404


async def test_the_category_tree_is_shown(catalog: Catalog) -> None:
    root = await catalog.category()
    child = await catalog.category(root)
    await catalog.deps.announcements.categories.drop("tree")
    tree = (await catalog.client.get("/api/categories")).json()["items"]
    branch = next(each for each in tree if each["id"] == str(root))
    assert [each["id"] for each in branch["children"]] == [str(child)]


def moved(catalog: Catalog, product: dict[str, Any], status: str, **headers: str) -> Any:
    given = headers or catalog.bearer(Role.ADMIN)
    path = f"/api/products/{product['id']}/status"
    return catalog.client.patch(path, json={"status": status}, headers=given)


async def test_a_product_is_published_withdrawn_and_archived(catalog: Catalog) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN), status="DRAFT")
    path = f"/api/products/{product['id']}"
    for status, shown in (("ACTIVE", 200), ("DRAFT", 404), ("ARCHIVED", 404), ("ACTIVE", 200)):
        answer = await moved(catalog, product, status)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert (await catalog.client.get(path)).status_code == shown
    assert answer.json()["version"] == 5


async def test_where_a_product_stands_already_is_no_change(catalog: Catalog) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN))
    assert (await moved(catalog, product, "ACTIVE")).json()["version"] == 1
    assert await catalog.events(UUID(product["id"])) == ["PRODUCT_CREATED"]


async def test_deleting_archives_and_is_safe_to_repeat(catalog: Catalog) -> None:
    _, user_id = await catalog.seller()
    owner = catalog.bearer(Role.SELLER, user_id)
    product = await created(catalog, owner)
    path = f"/api/products/{product['id']}"
    for _ in range(2):
        answer = await catalog.client.delete(path, headers=owner)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await catalog.client.get(path)).status_code == 404
    kept = (await catalog.client.get(path, headers=owner)).json()
    assert (kept["status"], kept["version"]) == ("ARCHIVED", 2)
    assert await catalog.events(UUID(product["id"])) == ["PRODUCT_CREATED", "PRODUCT_UPDATED"]


@pytest.mark.parametrize("status", [SellerStatus.PENDING, SellerStatus.SUSPENDED])
async def test_a_store_that_is_not_active_publishes_nothing(
    catalog: Catalog, status: SellerStatus
) -> None:
    seller_id, user_id = await catalog.seller(status)
    draft = await catalog.variant(5, seller_id=seller_id, status=ProductStatus.DRAFT)
    path = f"/api/products/{await catalog.product_of(draft)}"
    for headers in (catalog.bearer(Role.SELLER, user_id), catalog.bearer(Role.ADMIN)):
        product = (await catalog.client.get(path, headers=headers)).json()
        for answer in (
            await moved(catalog, product, "ACTIVE", **headers),
            await catalog.client.put(path, json=edit(product, status="ACTIVE"), headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "seller_not_active")


async def test_without_an_active_variant_nothing_is_published(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.ADMIN)
    product = await created(catalog, headers, status="DRAFT")
    variants = [{"id": product["variants"][0]["id"], "isActive": False}]
    path = f"/api/products/{product['id']}"
    await catalog.client.put(path, json=edit(product, variants=variants), headers=headers)
    for answer in (
        await moved(catalog, product, "ACTIVE"),
        await catalog.client.put(path, json=edit(product, status="ACTIVE"), headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_variant")


async def test_who_decides_anew_ends_the_waiting_for_the_store(catalog: Catalog) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN), status="DRAFT")
    product_id = UUID(product["id"])

    async def hide(session: WriteSession) -> None:
        query = "UPDATE products SET status = 'ARCHIVED', hidden_at = NOW(6) WHERE id = :id"
        await session.execute(sa.text(query), {"id": product_id.bytes})

    await catalog.database.transact(hide)
    assert (await moved(catalog, product, "ARCHIVED")).status_code == 200
    query = sa.text("SELECT hidden_at FROM products WHERE id = :id")
    assert (await catalog.rows(query, id=product_id.bytes))[0][0] is None


@pytest.mark.parametrize(("method", "suffix"), [("DELETE", ""), ("PATCH", "/status")])
async def test_a_status_is_its_sellers_to_decide(
    catalog: Catalog, method: str, suffix: str
) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN))
    path = f"/api/products/{product['id']}{suffix}"
    body = {"status": "ARCHIVED"} if suffix else None
    _, stranger = await catalog.seller()
    stale = catalog.bearer(Role.ADMIN) | {"If-Match": '"9"'}
    for headers, status in (
        ({}, 401),
        (catalog.bearer(Role.CUSTOMER), 403),
        (catalog.bearer(Role.SELLER, stranger), 404),
        (stale, 412),
    ):
        answer = await catalog.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status
    for unknown in (UNKNOWN, "x"):
        answer = await catalog.client.request(
            method,
            f"/api/products/{unknown}{suffix}",
            json=body,
            headers=catalog.bearer(Role.ADMIN),
        )
        assert answer.status_code == 404
    assert (await catalog.client.get(f"/api/products/{product['id']}")).status_code == 200


@pytest.mark.parametrize("body", [{}, {"status": "GONE"}, {"status": "DRAFT", "version": "1"}])
async def test_an_odd_status_is_refused(catalog: Catalog, body: dict[str, Any]) -> None:
    product = await created(catalog, catalog.bearer(Role.ADMIN))
    path = f"/api/products/{product['id']}/status"
    answer = await catalog.client.patch(path, json=body, headers=catalog.bearer(Role.ADMIN))
    assert answer.status_code == 422


async def test_a_slug_outlives_the_name_and_is_given_once(catalog: Catalog) -> None:
    headers, slug = catalog.bearer(Role.ADMIN), f"kurta-{new_id().hex}"
    product = await created(catalog, headers, slug=slug)
    path = f"/api/products/{product['id']}"
    renamed = await catalog.client.put(path, json=edit(product, name="New"), headers=headers)
    assert (product["slug"], renamed.json()["slug"]) == (slug, slug)
    other = await created(catalog, headers)
    for answer in (
        await catalog.client.post(
            "/api/products", json=await body(catalog, slug=slug), headers=headers
        ),
        await catalog.client.put(
            f"/api/products/{other['id']}", json=edit(other, slug=slug), headers=headers
        ),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


@pytest.mark.parametrize("slug", ["A", "a b", "-a", "a-", "a--b", "../x", "a" * 201, "कुर्ता"])
async def test_an_odd_slug_is_refused(catalog: Catalog, slug: str) -> None:
    answer = await catalog.client.post(
        "/api/products",
        json=await body(catalog, slug=slug),
        headers=catalog.bearer(Role.ADMIN),
    )
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/slug"]

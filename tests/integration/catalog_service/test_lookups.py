"""Finding products by slug, by store and by category."""

from typing import Any
from uuid import UUID

import pytest

from catalog_service.models import ProductStatus, SellerStatus
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.counting import statements

UNKNOWN = "01900000-0000-7000-8000-000000000000"


async def walked(catalog: Catalog, path: str, **headers: str) -> list[str]:
    """Follow the Link headers and return the ids on all pages."""
    ids: list[str] = []
    while path:
        answer = await catalog.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [item["id"] for item in page["items"]]
        link = answer.headers.get("link", "")
        assert bool(link) == (page["nextCursor"] is not None)
        path = link.removeprefix("<").removesuffix('>; rel="next"')
    return ids


async def product(catalog: Catalog, **given: Any) -> str:
    return str(await catalog.product_of(await catalog.variant(5, **given)))


async def test_a_slug_names_the_product_everybody_may_see(catalog: Catalog) -> None:
    product_id = await product(catalog)
    by_id = await catalog.client.get(f"/api/products/{product_id}")
    by_slug = await catalog.client.get(f"/api/products/slug/{by_id.json()['slug']}")
    assert by_slug.json() == by_id.json()
    assert by_slug.headers["etag"] == by_id.headers["etag"]
    known = {"If-None-Match": by_slug.headers["etag"]}
    again = await catalog.client.get(f"/api/products/slug/{by_id.json()['slug']}", headers=known)
    assert (again.status_code, again.content) == (304, b"")


async def test_a_drafts_slug_is_for_its_manager_only(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    product_id = await product(catalog, seller_id=seller_id, status=ProductStatus.DRAFT)
    path = f"/api/products/slug/{UUID(product_id).hex}"
    for headers, status in (
        ({}, 404),
        (catalog.bearer(Role.CUSTOMER), 404),
        (catalog.bearer(Role.SELLER), 404),
        (catalog.bearer(Role.SELLER, user_id), 200),
        (catalog.bearer(Role.ADMIN), 200),
        ({"Authorization": "Bearer x"}, 401),
    ):
        answer = await catalog.client.get(path, headers=headers)
        assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("slug", ["nothing-of-that-name", "%00", "a'b", "x" * 300, "%F0%9F"])
async def test_an_unknown_slug_is_not_found(catalog: Catalog, slug: str) -> None:
    answer = await catalog.client.get(f"/api/products/slug/{slug}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_stores_active_products_are_listed_newest_first(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    ids = [await product(catalog, seller_id=seller_id) for _ in range(5)]
    await product(catalog, seller_id=seller_id, status=ProductStatus.DRAFT)
    await product(catalog)
    found = await walked(catalog, f"/api/products/seller/{seller_id}?limit=2")
    assert found == ids[::-1]


async def test_a_page_holds_still_while_products_are_added(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    ids = [await product(catalog, seller_id=seller_id) for _ in range(4)]
    path = f"/api/products/seller/{seller_id}"
    first = (await catalog.client.get(path, params={"limit": 2})).json()
    await product(catalog, seller_id=seller_id)
    second = await catalog.client.get(path, params={"limit": 2, "cursor": first["nextCursor"]})
    found = [item["id"] for item in first["items"] + second.json()["items"]]
    assert found == ids[::-1]
    assert second.json()["nextCursor"] is None


async def test_the_owner_lists_what_others_do_not_see(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller(SellerStatus.SUSPENDED)
    owner = catalog.bearer(Role.SELLER, user_id)
    ids = {
        status.value: await product(catalog, seller_id=seller_id, status=status)
        for status in ProductStatus
    }
    path = f"/api/products/seller/{seller_id}"
    for headers in (owner, catalog.bearer(Role.ADMIN)):
        for status, product_id in ids.items():
            assert await walked(catalog, f"{path}?status={status}", **headers) == [product_id]
        everything = await walked(catalog, f"{path}?status=ALL&limit=1", **headers)
        assert sorted(everything) == sorted(ids.values())


async def test_drafts_are_nobody_elses(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    _, stranger = await catalog.seller()
    path = f"/api/products/seller/{seller_id}"
    for wanted in ("DRAFT", "ARCHIVED", "ALL"):
        for headers, status in (
            ({}, 401),
            (catalog.bearer(Role.CUSTOMER), 403),
            (catalog.bearer(Role.SELLER, stranger), 404),
        ):
            answer = await catalog.client.get(path, params={"status": wanted}, headers=headers)
            assert answer.status_code == status


async def test_a_category_stands_for_its_whole_branch(catalog: Catalog) -> None:
    root = await catalog.category()
    child = await catalog.category(root)
    grandchild = await catalog.category(child)
    ids = [await product(catalog, category_id=each) for each in (root, child, grandchild, root)]
    await product(catalog, category_id=child, status=ProductStatus.ARCHIVED)
    await product(catalog)
    assert await walked(catalog, f"/api/products/category/{root}?limit=3") == ids[::-1]
    assert await walked(catalog, f"/api/products/category/{grandchild}") == [ids[2]]
    assert await walked(catalog, f"/api/products/category/{await catalog.category()}") == []


@pytest.mark.parametrize("kind", ["seller", "category"])
@pytest.mark.parametrize("identifier", [UNKNOWN, "x", "../seller"])
async def test_what_does_not_exist_has_no_list(
    catalog: Catalog, kind: str, identifier: str
) -> None:
    answer = await catalog.client.get(f"/api/products/{kind}/{identifier}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1000000",
        "limit=x",
        "offset=5",
        "cursor=x",
        "cursor=" + "a" * 300,
        "status=GONE",
        "limit=1&sort=price",
    ],
)
async def test_odd_parameters_are_refused(catalog: Catalog, query: str) -> None:
    seller_id, _ = await catalog.seller()
    category_id = await catalog.category()
    for path in (f"seller/{seller_id}", f"category/{category_id}"):
        answer = await catalog.client.get(f"/api/products/{path}?{query}")
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_number_of_statements_does_not_grow(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    root = await catalog.category()
    owner = catalog.bearer(Role.SELLER, user_id)
    slug = UUID(await product(catalog, seller_id=seller_id, category_id=root)).hex
    reads: list[tuple[str, dict[str, str]]] = [
        (f"/api/products/seller/{seller_id}", {}),
        (f"/api/products/seller/{seller_id}?status=ALL", owner),
        (f"/api/products/category/{root}", {}),
        (f"/api/products/slug/{slug}", {}),
        (f"/api/products/{UUID(hex=slug)}/variants", owner),
    ]

    async def counts() -> list[int]:
        found = []
        for path, headers in reads:
            with statements(catalog) as sent:
                await catalog.client.get(path, headers=headers)
            found.append(len(sent))
        return found

    few = await counts()
    for _ in range(5):
        child = await catalog.category(root)
        await product(catalog, seller_id=seller_id, category_id=child, name=new_id().hex)
    assert await counts() == few
    assert max(few) <= 6

"""Variants of a product: added, changed and deactivated over HTTP."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus
from catalog_service.services.reservations import release
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def variant(**changes: Any) -> dict[str, Any]:
    return {
        "sku": f"SKU-{new_id().hex}",
        "name": "L",
        "price": {"amount": 99_900, "currency": "INR"},
        "attributes": {"size": "L"},
        "quantity": 4,
        "reorderLevel": 1,
    } | changes


async def listed(catalog: Catalog) -> str:
    """Put an active product with one variant into the shop and return the path of its variants."""
    product_id = await catalog.product_of(await catalog.variant(5))
    return f"/api/products/{product_id}/variants"


async def product_at(catalog: Catalog, path: str) -> dict[str, Any]:
    answer = await catalog.client.get(path.removesuffix("/variants"))
    assert answer.status_code == 200
    product: dict[str, Any] = answer.json()
    return product


async def test_a_variant_is_added_with_its_stock_and_ledger(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    answer = await catalog.client.post(path, json=variant(), headers=admin)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"2"'
    added = answer.json()
    assert (added["available"], added["position"], added["isActive"]) == (4, 1, True)
    shelf = await catalog.shelf(UUID(added["id"]))
    assert (shelf.quantity, shelf.adds_up) == (4, True)
    product = await product_at(catalog, path)
    assert [each["name"] for each in product["variants"]] == ["M", "L"]
    assert product["version"] == 2
    assert await catalog.events(UUID(product["id"])) == ["PRODUCT_UPDATED"]


async def test_a_cheaper_variant_lowers_the_products_price_and_leaves_with_it(
    catalog: Catalog,
) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    product_id = (await product_at(catalog, path))["id"]

    async def lowest() -> int:
        query = sa.text("SELECT min_price_minor FROM products WHERE id = :id")
        return int((await catalog.rows(query, id=UUID(product_id).bytes))[0][0])

    added = (await catalog.client.post(path, json=variant(), headers=admin)).json()
    assert await lowest() == 99_900
    price = {"price": {"amount": 77_700, "currency": "INR"}}
    await catalog.client.put(f"{path}/{added['id']}", json=price, headers=admin)
    assert await lowest() == 77_700
    await catalog.client.delete(f"{path}/{added['id']}", headers=admin)
    assert await lowest() == 149_900


async def test_a_taken_sku_is_refused_and_nothing_is_added(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    sku = (await catalog.client.post(path, json=variant(), headers=admin)).json()["sku"]
    answer = await catalog.client.post(path, json=variant(sku=sku.lower()), headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")
    product = await product_at(catalog, path)
    assert (len(product["variants"]), product["version"]) == (2, 2)


async def test_of_two_variants_with_one_sku_at_once_one_is_added(catalog: Catalog) -> None:
    paths, admin = [await listed(catalog) for _ in range(4)], catalog.bearer(Role.ADMIN)
    body = variant()
    calls = (catalog.client.post(path, json=body, headers=admin) for path in paths)
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_product_has_at_most_a_hundred_variants(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    for _ in range(99):
        answer = await catalog.client.post(path, json=variant(), headers=admin)
        assert answer.status_code == 201
    answer = await catalog.client.post(path, json=variant(), headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_variants")


async def test_what_is_not_named_stays_and_null_takes_the_comparison_away(
    catalog: Catalog,
) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    body = variant(compareAtPrice={"amount": 199_900, "currency": "INR"})
    added = (await catalog.client.post(path, json=body, headers=admin)).json()
    where = f"{path}/{added['id']}"
    renamed = (await catalog.client.put(where, json={"name": "XL"}, headers=admin)).json()
    assert renamed == added | {"name": "XL"}
    bare = await catalog.client.put(where, json={"compareAtPrice": None}, headers=admin)
    assert bare.json() == renamed | {"compareAtPrice": None}


async def test_variants_are_shown_in_their_positions(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    added = (await catalog.client.post(path, json=variant(), headers=admin)).json()
    first = (await catalog.client.get(path)).json()["items"][0]
    await catalog.client.put(f"{path}/{first['id']}", json={"position": 7}, headers=admin)
    found = (await catalog.client.get(path)).json()
    assert [each["id"] for each in found["items"]] == [added["id"], first["id"]]
    assert found["nextCursor"] is None


async def test_an_inactive_variant_is_shown_to_those_who_keep_it_only(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    product_id = await catalog.product_of(await catalog.variant(5, seller_id=seller_id))
    path, owner = f"/api/products/{product_id}/variants", catalog.bearer(Role.SELLER, user_id)
    added = (await catalog.client.post(path, json=variant(), headers=owner)).json()
    for _ in range(2):
        answer = await catalog.client.delete(f"{path}/{added['id']}", headers=owner)
        assert (answer.status_code, answer.content) == (204, b"")
    _, stranger = await catalog.seller()
    seen = {
        len((await catalog.client.get(path, headers=headers)).json()["items"])
        for headers in ({}, catalog.bearer(Role.CUSTOMER), catalog.bearer(Role.SELLER, stranger))
    }
    assert seen == {1}
    assert len((await product_at(catalog, path))["variants"]) == 1
    for headers in (owner, catalog.bearer(Role.ADMIN)):
        items = (await catalog.client.get(path, headers=headers)).json()["items"]
        assert [each["isActive"] for each in items] == [True, False]


async def test_a_draft_shows_its_variants_to_those_who_keep_it_only(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    draft = await catalog.variant(5, seller_id=seller_id, status=ProductStatus.DRAFT)
    path = f"/api/products/{await catalog.product_of(draft)}/variants"
    for headers, status in (
        ({}, 404),
        (catalog.bearer(Role.CUSTOMER), 404),
        (catalog.bearer(Role.SELLER, user_id), 200),
    ):
        assert (await catalog.client.get(path, headers=headers)).status_code == status


async def test_the_last_variant_of_an_active_product_stays(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    only = (await product_at(catalog, path))["variants"][0]["id"]
    for answer in (
        await catalog.client.delete(f"{path}/{only}", headers=admin),
        await catalog.client.put(f"{path}/{only}", json={"isActive": False}, headers=admin),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_variant")
    assert len((await product_at(catalog, path))["variants"]) == 1


async def test_of_two_variants_leaving_at_once_one_stays(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    await catalog.client.post(path, json=variant(), headers=admin)
    ids = [each["id"] for each in (await product_at(catalog, path))["variants"]]
    calls = (catalog.client.delete(f"{path}/{each}", headers=admin) for each in ids)
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_what_is_reserved_of_a_variant_that_leaves_stays_reserved(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    added = UUID((await catalog.client.post(path, json=variant(), headers=admin)).json()["id"])
    command = await catalog.reserve((added, 3))
    await catalog.client.delete(f"{path}/{added}", headers=admin)
    assert (await catalog.shelf(added)).reserved == 3
    await release(catalog.database, command.reservation_id, "test")
    shelf = await catalog.shelf(added)
    assert (shelf.available, shelf.adds_up) == (4, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_stale_version_changes_nothing(catalog: Catalog, method: str) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    added = (await catalog.client.post(path, json=variant(), headers=admin)).json()
    where = path if method == "POST" else f"{path}/{added['id']}"
    body = {"POST": variant(), "PUT": {"name": "XL"}, "DELETE": None}[method]
    stale = await catalog.client.request(
        method, where, json=body, headers=admin | {"If-Match": '"1"'}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    if body is not None:
        behind = await catalog.client.request(
            method, where, json=body | {"version": 1}, headers=admin
        )
        assert (behind.status_code, behind.json()["code"]) == (409, "stale_version")
    assert (await product_at(catalog, path))["version"] == 2
    fresh = await catalog.client.request(
        method, where, json=body, headers=admin | {"If-Match": '"2"'}
    )
    assert fresh.is_success
    assert fresh.headers["etag"] == '"3"'


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_variants_are_their_sellers_alone(catalog: Catalog, method: str) -> None:
    path = await listed(catalog)
    only = (await product_at(catalog, path))["variants"][0]["id"]
    where = path if method == "POST" else f"{path}/{only}"
    body = variant() if method == "POST" else {"name": "XL"} if method == "PUT" else None
    _, stranger = await catalog.seller()
    for headers, status in (
        ({}, 401),
        (catalog.bearer(Role.CUSTOMER), 403),
        (catalog.bearer(Role.SELLER, stranger), 404),
        (catalog.bearer(Role.SELLER), 404),
    ):
        answer = await catalog.client.request(method, where, json=body, headers=headers)
        assert answer.status_code == status
    assert (await product_at(catalog, path))["version"] == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("variant_id", [UNKNOWN, "x", None])
async def test_another_products_variant_is_not_found(
    catalog: Catalog, method: str, variant_id: str | None
) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    named = variant_id or str(await catalog.variant(5))
    body = {"name": "XL"} if method == "PUT" else None
    answer = await catalog.client.request(method, f"{path}/{named}", json=body, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("product_id", [UNKNOWN, "x"])
async def test_no_product_has_no_variants(catalog: Catalog, product_id: str) -> None:
    path, admin = f"/api/products/{product_id}/variants", catalog.bearer(Role.ADMIN)
    assert (await catalog.client.get(path)).status_code == 404
    assert (await catalog.client.post(path, json=variant(), headers=admin)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"price": {"amount": -1, "currency": "INR"}}, "/price/amount"),
        ({"price": {"amount": 0.001, "currency": "INR"}}, "/price/amount"),
        ({"price": {"amount": 10**12, "currency": "INR"}}, "/price/amount"),
        ({"price": {"amount": 1, "currency": "USD"}}, "/price/currency"),
        ({"compareAtPrice": {"amount": 1, "currency": "INR"}}, "/compareAtPrice"),
        ({"compareAtPrice": {"amount": 10**9, "currency": "USD"}}, "/compareAtPrice/currency"),
        ({"name": "\u200b"}, "/name"),
        ({"attributes": {"size": 5}}, "/attributes/size"),
        ({"productId": UNKNOWN}, "/productId"),
        ({"version": 0}, "/version"),
    ],
)
async def test_odd_members_are_refused_at_their_place(
    catalog: Catalog, changes: dict[str, Any], pointer: str
) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    only = (await product_at(catalog, path))["variants"][0]["id"]
    for answer in (
        await catalog.client.post(path, json=variant(**changes), headers=admin),
        await catalog.client.put(f"{path}/{only}", json=changes, headers=admin),
    ):
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (await product_at(catalog, path))["version"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": -1},
        {"quantity": 2**31},
        {"quantity": "5"},
        {"sku": ""},
        {"sku": "a b"},
        {"sku": "x" * 65},
        {"reorderLevel": -1},
        {"position": 1},
        {"isActive": True},
    ],
)
async def test_an_odd_new_variant_is_refused(catalog: Catalog, changes: dict[str, Any]) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    answer = await catalog.client.post(path, json=variant(**changes), headers=admin)
    assert answer.status_code == 422


async def test_a_sku_is_for_good(catalog: Catalog) -> None:
    path, admin = await listed(catalog), catalog.bearer(Role.ADMIN)
    only = (await product_at(catalog, path))["variants"][0]["id"]
    answer = await catalog.client.put(f"{path}/{only}", json={"sku": "NEW"}, headers=admin)
    assert answer.status_code == 422

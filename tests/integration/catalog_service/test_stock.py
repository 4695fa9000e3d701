"""Stock over HTTP: what is shown of it, and changing it."""

import asyncio
from typing import Any

import pytest

from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.shelves import RELEASE, RESERVE, UNKNOWN, adjusted, wanted


async def test_displayed_stock_follows_a_reservation(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    path = f"/api/inventory/{variant}"
    assert (await catalog.client.get(path)).json()["available"] == 5
    await catalog.reserve((variant, 2))
    await catalog.deps.batcher.close()
    assert (await catalog.client.get(path)).json()["available"] == 3


async def test_what_is_reserved_cannot_be_taken_off_the_shelf(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    await catalog.reserve((variant, 4))
    answer = await catalog.client.post(
        f"/api/inventory/{variant}/adjust",
        json={"delta": -2, "reason": "broken"},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_stock")
    assert (await catalog.shelf(variant)).quantity == 5


async def test_a_correction_past_the_reorder_level_alerts(catalog: Catalog) -> None:
    variant = await catalog.variant(5, reorder_level=3)
    await catalog.client.post(
        f"/api/inventory/{variant}/adjust",
        json={"delta": -2, "reason": "broken"},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert await catalog.events(variant) == ["LOW_STOCK_ALERT"]


@pytest.mark.parametrize("delta", [0, 2**31 - 2])
async def test_an_impossible_adjustment_is_refused(catalog: Catalog, delta: int) -> None:
    variant = await catalog.variant(5)
    answer = await catalog.client.post(
        f"/api/inventory/{variant}/adjust",
        json={"delta": delta, "reason": "count"},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert answer.status_code == 422


async def test_only_the_owner_and_administrators_adjust(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    _, stranger = await catalog.seller()
    body = {"delta": 1, "reason": "count"}
    path = f"/api/inventory/{variant}/adjust"
    for headers, status in (
        (catalog.bearer(Role.CUSTOMER), 403),
        (catalog.bearer(Role.SELLER, stranger), 404),
    ):
        answer = await catalog.client.post(path, json=body, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("variant", ["x", UNKNOWN])
async def test_the_stock_of_nothing_is_not_found(catalog: Catalog, variant: str) -> None:
    assert (await catalog.client.get(f"/api/inventory/{variant}")).status_code == 404


async def test_who_keeps_the_shelf_sees_its_counters_with_a_token(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    variant = await catalog.variant(5, reorder_level=2, seller_id=seller_id)
    path = f"/api/inventory/{variant}"
    _, stranger = await catalog.seller()
    for headers in ({}, catalog.bearer(Role.CUSTOMER), catalog.bearer(Role.SELLER, stranger)):
        public = await catalog.client.get(path, headers=headers)
        assert set(public.json()) == {"variantId", "available", "updatedAt"}
    await catalog.reserve((variant, 2))
    for headers in (catalog.bearer(Role.SELLER, user_id), catalog.bearer(Role.ADMIN)):
        own = await catalog.client.get(path, headers=headers)
        counters = [own.json()[name] for name in ("quantity", "reserved", "reorderLevel")]
        assert counters == [5, 2, 2]
        assert own.headers["etag"] == f'"{own.json()["version"]}"'
        assert own.headers["cache-control"] == "private, no-store"
    assert (
        await catalog.client.get(path, headers={"Authorization": "Bearer x"})
    ).status_code == 401


async def test_an_adjustment_of_older_stock_fails(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    tag = (await adjusted(catalog, variant, 1)).headers["etag"]
    assert (await adjusted(catalog, variant, 1, headers={"If-Match": tag})).status_code == 200
    stale = await adjusted(catalog, variant, 1, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    behind = await adjusted(catalog, variant, 1, version=1)
    assert (behind.status_code, behind.json()["code"]) == (409, "stale_version")
    assert (await catalog.shelf(variant)).quantity == 7


async def test_of_adjustments_of_one_version_one_wins(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    answers = await asyncio.gather(
        *(adjusted(catalog, variant, 1, headers={"If-Match": '"1"'}) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.adds_up) == (6, True)


async def test_the_product_page_shows_a_delivery_at_once(catalog: Catalog) -> None:
    variant = await catalog.variant(0)
    path = f"/api/products/{await catalog.product_of(variant)}"
    await catalog.client.get(path)
    await adjusted(catalog, variant, 4)
    assert (await catalog.client.get(path)).json()["variants"][0]["available"] == 4
    assert (await catalog.client.get(f"/api/inventory/{variant}")).json()["available"] == 4


async def test_a_delivery_of_what_was_sold_out_is_told_once(catalog: Catalog) -> None:
    variant = await catalog.variant(0)
    for _ in range(2):
        await adjusted(catalog, variant, 4, kind="RESTOCK")
    assert await catalog.events(variant) == ["BACK_IN_STOCK"]


async def test_units_given_back_to_an_empty_shelf_are_told_once(catalog: Catalog) -> None:
    variant = await catalog.variant(2)
    path = f"/api/products/{await catalog.product_of(variant)}"
    bodies = [wanted(variant), wanted(variant)]
    for body in bodies:
        await catalog.post(RESERVE, body)
    await catalog.deps.batcher.close()
    assert (await catalog.client.get(path)).json()["variants"][0]["available"] == 0
    for body in bodies * 2:
        await catalog.post(RELEASE, {"reservationId": body["reservationId"], "reason": "test"})
    assert await catalog.events(variant) == ["OUT_OF_STOCK", "BACK_IN_STOCK"]
    assert (await catalog.client.get(path)).json()["variants"][0]["available"] > 0


async def test_the_reorder_level_is_set_under_its_version(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    path, owner = f"/api/inventory/{variant}", catalog.bearer(Role.SELLER, user_id)
    answer = await catalog.client.put(path, json={"reorderLevel": 9}, headers=owner)
    assert (answer.json()["reorderLevel"], answer.headers["etag"]) == (9, '"2"')
    stale = await catalog.client.put(
        path, json={"reorderLevel": 8}, headers=owner | {"If-Match": '"1"'}
    )
    assert stale.status_code == 412
    behind = await catalog.client.put(path, json={"reorderLevel": 8, "version": 1}, headers=owner)
    assert behind.status_code == 409
    assert await catalog.events(variant) == []
    assert (await catalog.shelf(variant)).adds_up


@pytest.mark.parametrize("level", [-1, 2**31, "5", 1.5, True, None])
async def test_an_odd_reorder_level_is_refused(catalog: Catalog, level: Any) -> None:
    answer = await catalog.client.put(
        f"/api/inventory/{await catalog.variant(5)}",
        json={"reorderLevel": level},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("variant", ["x", UNKNOWN])
async def test_the_shelf_of_nothing_is_not_found(catalog: Catalog, variant: str) -> None:
    path, admin = f"/api/inventory/{variant}", catalog.bearer(Role.ADMIN)
    for answer in (
        await catalog.client.get(path, headers=admin),
        await catalog.client.get(f"{path}/movements", headers=admin),
        await catalog.client.put(path, json={"reorderLevel": 1}, headers=admin),
        await catalog.client.post(
            f"{path}/adjust", json={"delta": 1, "reason": "x"}, headers=admin
        ),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

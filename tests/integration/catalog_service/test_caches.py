"""What is cached is shown early, and is dropped wherever it is kept."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from catalog_service.schemas.products import ProductEdit
from catalog_service.services import products
from catalog_service.services.refresher import Refresher
from common_lib.auth import Principal, Role
from common_lib.ids import UserId, new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.waiting import eventually

ADMIN = Principal(UserId(new_id()), Role.ADMIN, "session", issued_at=0, expires_at=2**31)


async def page(catalog: Catalog, product_id: UUID) -> dict[str, Any]:
    answer = await catalog.client.get(f"/api/products/{product_id}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def available(catalog: Catalog, product_id: UUID) -> int:
    return int((await page(catalog, product_id))["variants"][0]["available"])


async def renamed_in_silence(catalog: Catalog, product_id: UUID, name: str) -> None:
    """Change a product as a process does that is killed right after its commit."""
    shown = await page(catalog, product_id)
    edit = ProductEdit.model_validate(
        {"name": name, "description": "", "categoryId": shown["categoryId"]}
    )
    await products.update(
        catalog.database,
        ADMIN,
        product_id,
        edit,
        products.Expectation(),
        currency=catalog.settings.currency,
    )


async def is_at_hand(catalog: Catalog, product_id: UUID) -> bool:
    """Tell whether the process answers early; asking fills it."""
    await page(catalog, product_id)
    return catalog.deps.announcements.products.peek(str(product_id))[0]


def paths(product_id: UUID, variant_id: UUID) -> list[str]:
    return [f"/api/products/{product_id}", f"/api/inventory/{variant_id}", "/api/categories"]


async def test_hot_reads_answer_304_to_who_has_them(catalog: Catalog) -> None:
    variant_id = await catalog.variant(5)
    product_id = await catalog.product_of(variant_id)
    await eventually(partial(is_at_hand, catalog, product_id))
    for path in paths(product_id, variant_id):
        first, second = [await catalog.client.get(path) for _ in range(2)]
        assert dict(first.headers) | {"x-request-id": ""} == (
            dict(second.headers) | {"x-request-id": ""}
        )
        assert (second.content, second.headers["cache-control"]) == (first.content, "no-cache")
        for _ in range(2):
            known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
            again = await catalog.client.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]


async def test_caches_are_filled_from_the_source_not_from_a_replica(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    """A replica that lags, at its worst: it answers nothing at all."""
    nowhere = "mysql+asyncmy://shop:shop@127.0.0.1:9/nothing"
    lagging = await open_catalog(database_read_urls=(nowhere,))
    variant_id = await catalog.variant(5)

    for path in paths(await catalog.product_of(variant_id), variant_id):
        assert (await lagging.client.get(path)).status_code == 200


async def test_a_sale_shows_on_the_page_though_no_threshold_was_crossed(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    variant_id = await catalog.variant(10)
    product_id = await catalog.product_of(variant_id)
    other = await open_catalog()
    refresher = Refresher(other.database, other.deps.announcements)
    await refresher.refresh()
    assert await available(catalog, product_id) == 10

    await other.reserve((variant_id, 1))
    await refresher.refresh()

    async def is_nine() -> bool:
        return await available(catalog, product_id) == 9

    await eventually(is_nine, timeout_s=1)


async def test_a_change_whose_process_died_before_the_drop_is_shown_all_the_same(
    catalog: Catalog,
) -> None:
    product_id = await catalog.product_of(await catalog.variant(10))
    refresher = Refresher(catalog.database, catalog.deps.announcements)
    await page(catalog, product_id)
    await renamed_in_silence(catalog, product_id, "Renamed")
    assert (await page(catalog, product_id))["name"] != "Renamed"

    await refresher.refresh()

    async def is_new() -> bool:
        return bool((await page(catalog, product_id))["name"] == "Renamed")

    await eventually(is_new, timeout_s=1)


async def test_a_page_whose_product_rests_is_left_alone(catalog: Catalog) -> None:
    product_id = await catalog.product_of(await catalog.variant(10))
    refresher = Refresher(catalog.database, catalog.deps.announcements)
    await refresher.refresh()
    await eventually(partial(is_at_hand, catalog, product_id))

    await refresher.refresh()

    assert catalog.deps.announcements.products.peek(str(product_id))[0]


@pytest.mark.parametrize("status", ["DRAFT", "ARCHIVED"])
async def test_a_withdrawn_product_is_gone_from_every_process_within_a_second(
    catalog: Catalog, open_catalog: OpenCatalog, status: str
) -> None:
    product_id = await catalog.product_of(await catalog.variant(10))
    other = await open_catalog()
    headers = catalog.bearer(Role.ADMIN)
    for process in (catalog, other):
        await eventually(partial(is_at_hand, process, product_id))

    answer = await catalog.client.patch(
        f"/api/products/{product_id}/status", json={"status": status}, headers=headers
    )
    assert answer.status_code == 200, answer.text

    async def is_gone() -> bool:
        return (await other.client.get(f"/api/products/{product_id}")).status_code == 404

    await eventually(is_gone, timeout_s=1)
    managed = await catalog.client.get(f"/api/products/{product_id}", headers=headers)
    assert (managed.status_code, managed.json()["status"]) == (200, status)
    assert managed.headers["cache-control"] == "private, no-store"

"""The stock of what is not for sale: for those who keep the shelf, and nobody else."""

from typing import Any
from uuid import UUID

import pytest

from catalog_service.models import ProductStatus, ProductVariant, Seller, SellerStatus
from catalog_service.services.refresher import Refresher
from catalog_service.services.shelf_keeper import ShelfKeeper
from common_lib.auth import Role
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.waiting import eventually


async def seen(catalog: Catalog, variant: UUID, **headers: str) -> int:
    return (await catalog.client.get(f"/api/inventory/{variant}", headers=headers)).status_code


async def moved(catalog: Catalog, variant: UUID, status: str) -> None:
    answer = await catalog.client.patch(
        f"/api/products/{await catalog.product_of(variant)}/status",
        json={"status": status},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert answer.status_code == 200, answer.text


async def with_sibling(catalog: Catalog) -> tuple[UUID, UUID]:
    """Return a variant and another one of its product, both on sale."""
    variant = await catalog.variant(5)
    answer = await catalog.client.post(
        f"/api/products/{await catalog.product_of(variant)}/variants",
        json={
            "sku": f"SKU-{new_id().hex}",
            "name": "L",
            "price": {"amount": 100, "currency": "INR"},
            "attributes": {},
            "quantity": 3,
        },
        headers=catalog.bearer(Role.ADMIN),
    )
    assert answer.status_code == 201, answer.text
    return variant, UUID(answer.json()["id"])


@pytest.mark.parametrize("status", [ProductStatus.DRAFT, ProductStatus.ARCHIVED])
async def test_the_stock_of_a_product_not_for_sale_is_for_its_keepers_alone(
    catalog: Catalog, status: ProductStatus
) -> None:
    seller_id, user_id = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id, status=status)
    _, stranger = await catalog.seller()
    for headers in ({}, catalog.bearer(Role.CUSTOMER), catalog.bearer(Role.SELLER, stranger)):
        assert await seen(catalog, variant, **headers) == 404
    for headers in (catalog.bearer(Role.SELLER, user_id), catalog.bearer(Role.ADMIN)):
        assert await seen(catalog, variant, **headers) == 200


async def test_publishing_shows_the_stock_at_once_though_its_absence_was_kept(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    variant, other = await catalog.variant(5, status=ProductStatus.DRAFT), await open_catalog()
    for process in (catalog, other):
        assert await seen(process, variant) == 404

    await moved(catalog, variant, "ACTIVE")

    assert await seen(catalog, variant) == 200

    async def is_shown() -> bool:
        return await seen(other, variant) == 200

    await eventually(is_shown, timeout_s=1)


@pytest.mark.parametrize("status", ["DRAFT", "ARCHIVED"])
async def test_the_stock_of_what_left_the_shop_is_gone_everywhere_within_a_second(
    catalog: Catalog, open_catalog: OpenCatalog, status: str
) -> None:
    variant, other = await catalog.variant(5), await open_catalog()
    for process in (catalog, other):
        assert await seen(process, variant) == 200

    await moved(catalog, variant, status)

    assert await seen(catalog, variant) == 404
    await eventually_gone(other, variant)


@pytest.mark.parametrize("how", ["DELETE", "PUT", "product"])
async def test_a_deactivated_variant_takes_its_stock_along_and_leaves_its_siblings(
    catalog: Catalog, how: str
) -> None:
    variant, sibling = await with_sibling(catalog)
    assert (await seen(catalog, variant), await seen(catalog, sibling)) == (200, 200)
    product = f"/api/products/{await catalog.product_of(variant)}"
    admin = catalog.bearer(Role.ADMIN)
    if how == "product":
        shown = (await catalog.client.get(product)).json()
        edit: dict[str, Any] = {n: shown[n] for n in ("name", "description", "categoryId")}
        edit["variants"] = [{"id": str(sibling), "isActive": False}]
        answer = await catalog.client.put(product, json=edit, headers=admin)
    else:
        body = None if how == "DELETE" else {"isActive": False}
        answer = await catalog.client.request(
            how, f"{product}/variants/{sibling}", headers=admin, json=body
        )
    assert answer.is_success, answer.text

    assert (await seen(catalog, variant), await seen(catalog, sibling)) == (200, 404)


async def test_the_stock_of_a_suspended_store_goes_and_comes_back_with_it(
    catalog: Catalog,
) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    keeper = ShelfKeeper(catalog.database, catalog.deps.announcements)
    assert await seen(catalog, variant) == 200

    for status, expected in ((SellerStatus.SUSPENDED, 404), (SellerStatus.ACTIVE, 200)):
        await set_store(catalog, seller_id, status)
        await keeper.try_for(seller_id)
        assert await seen(catalog, variant) == expected


async def test_a_drop_that_was_never_made_is_made_good(catalog: Catalog) -> None:
    """As after a process that is killed right after its commit."""
    variant, sibling = await with_sibling(catalog)
    refresher = Refresher(catalog.database, catalog.deps.announcements)
    await refresher.refresh()
    product = f"/api/products/{await catalog.product_of(variant)}"
    await catalog.client.put(
        f"{product}/variants/{variant}", json={"name": "S"}, headers=catalog.bearer(Role.ADMIN)
    )
    assert await seen(catalog, sibling) == 200

    async def in_silence(session: WriteSession) -> None:
        found = await session.get(ProductVariant, sibling)
        assert found is not None
        found.is_active = False

    await catalog.database.transact(in_silence)
    assert await seen(catalog, sibling) == 200

    await refresher.refresh()

    await eventually_gone(catalog, sibling)


async def eventually_gone(catalog: Catalog, variant: UUID) -> None:
    async def is_gone() -> bool:
        return await seen(catalog, variant) == 404

    await eventually(is_gone, timeout_s=1)


async def set_store(catalog: Catalog, seller_id: UUID, status: SellerStatus) -> None:
    async def work(session: WriteSession) -> None:
        seller = await session.get(Seller, seller_id)
        assert seller is not None
        seller.status = status

    await catalog.database.transact(work)

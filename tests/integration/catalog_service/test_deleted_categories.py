"""A category deleted at the worst moment: after it was looked for, before it is used."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from catalog_service.models.categories import Category
from common_lib.auth import Role
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.csv_files import Shop, work_off

EXISTS = "catalog_service.queries.products.category_exists"
ALL = "catalog_service.queries.categories.all_categories"


def body(category_id: UUID) -> dict[str, Any]:
    variant = {
        "sku": f"SKU-{new_id().hex}",
        "name": "M",
        "price": {"amount": 100, "currency": "INR"},
        "attributes": {},
        "quantity": 1,
    }
    return {
        "name": "Kurta",
        "description": "Cotton",
        "categoryId": str(category_id),
        "status": "ACTIVE",
        "variants": [variant],
    }


def delete_after(
    monkeypatch: pytest.MonkeyPatch, target: str, catalog: Catalog, category_id: UUID
) -> None:
    """Have the category deleted by somebody else as soon as the query has seen it."""
    module, _, name = target.rpartition(".")
    query: Callable[..., Awaitable[Any]] = getattr(__import__(module, fromlist=[name]), name)

    async def seen_then_gone(*arguments: Any) -> Any:
        found = await query(*arguments)
        await catalog.database.transact(gone)
        return found

    async def gone(session: WriteSession) -> None:
        category = await session.get(Category, category_id)
        if category is not None:
            await session.delete(category)

    monkeypatch.setattr(target, seen_then_gone)


def assert_unknown(answer: httpx2.Response) -> None:
    assert answer.status_code == 422, answer.text
    found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert found == [("/categoryId", "unknown_category")]


async def test_a_product_cannot_be_created_in_a_category_deleted_meanwhile(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    category_id = await catalog.category()
    delete_after(monkeypatch, EXISTS, catalog, category_id)

    answer = await catalog.client.post(
        "/api/products", json=body(category_id), headers=catalog.bearer(Role.ADMIN)
    )

    assert_unknown(answer)


async def test_a_product_cannot_be_moved_to_a_category_deleted_meanwhile(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, category_id = catalog.bearer(Role.ADMIN), await catalog.category()
    path = f"/api/products/{await catalog.product_of(await catalog.variant(1))}"
    product = (await catalog.client.get(path)).json()
    delete_after(monkeypatch, EXISTS, catalog, category_id)
    edit = {"name": "Moved", "description": "", "categoryId": str(category_id)}

    answer = await catalog.client.put(path, json=edit, headers=admin)

    assert_unknown(answer)
    assert (await catalog.client.get(path)).json() == product


async def test_rows_of_a_category_deleted_meanwhile_are_refused_and_the_others_imported(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work_off(catalog)
    shop, doomed = await Shop.open(catalog), await catalog.category()
    delete_after(monkeypatch, ALL, catalog, doomed)

    report = await shop.carried_out(shop.row(), shop.row(category=doomed.hex), shop.row())

    assert (report["status"], report["createdRows"]) == ("DONE", 2)
    errors = [(e["line"], e["column"], e["code"]) for e in report["errors"]]
    assert errors == [(3, "category", "unknown_category")]


async def test_a_category_deleted_before_a_single_product_is_written_refuses_it_alone(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by the chunk and again by the product on its own, and gone both times."""
    await work_off(catalog)
    shop, doomed = await Shop.open(catalog), await catalog.category()
    monkeypatch.setattr(ALL, await _tree_with(catalog, doomed))
    await catalog.client.delete(f"/api/categories/{doomed}", headers=catalog.bearer(Role.ADMIN))

    report = await shop.carried_out(shop.row(category=doomed.hex))

    errors = [(e["line"], e["column"], e["code"]) for e in report["errors"]]
    assert (report["status"], errors) == ("DONE", [(2, "category", "unknown_category")])


async def test_a_category_that_got_a_product_meanwhile_is_not_deleted(catalog: Catalog) -> None:
    category_id = await catalog.category()
    await catalog.variant(1, category_id=category_id)

    answer = await catalog.client.delete(
        f"/api/categories/{category_id}", headers=catalog.bearer(Role.ADMIN)
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "category_not_empty")


async def _tree_with(catalog: Catalog, category_id: UUID) -> Callable[..., Awaitable[list[Any]]]:
    """Return a query that goes on showing a category as it is now."""
    async with catalog.database.read() as session:
        category = await session.get(Category, category_id)

    async def seen(*_: Any) -> list[Any]:
        return [category]

    return seen

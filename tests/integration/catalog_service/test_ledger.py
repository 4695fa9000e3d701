"""The ledger over HTTP: every change of the stock, newest first."""

from typing import Any

from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.shelves import RELEASE, adjusted


async def test_restocking_writes_the_ledger(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    answer = await catalog.client.post(
        f"/api/inventory/{variant}/adjust",
        json={"delta": 10, "reason": "delivery", "kind": "RESTOCK"},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert (answer.json()["quantity"], answer.json()["version"]) == (15, 2)
    assert (await catalog.shelf(variant)).adds_up


async def test_the_ledger_is_read_newest_first(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    owner, path = catalog.bearer(Role.SELLER, user_id), f"/api/inventory/{variant}/movements"
    command = await catalog.reserve((variant, 2))
    await catalog.post(RELEASE, {"reservationId": str(command.reservation_id), "reason": "test"})
    await adjusted(catalog, variant, -1, reason="broken")
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await catalog.client.get(path, params=params, headers=owner)).json()
        found += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert [row["kind"] for row in found] == ["CORRECTION", "RELEASE", "RESERVE", "INITIAL"]
    assert [row["quantityDelta"] for row in found] == [-1, 0, 0, 5]
    assert [row["reservedDelta"] for row in found] == [0, -2, 2, 0]
    assert found[0]["reason"] == "broken"
    assert found[0]["actorId"] is not None
    assert found[1]["reservationId"] == str(command.reservation_id)

"""Stock and reservations over HTTP, as sellers and other services see them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus
from catalog_service.queries.inventory import low_stock
from common_lib.auth import Role
from common_lib.database import ReadSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def wanted(variant: UUID, quantity: Any = 1, **changes: Any) -> dict[str, Any]:
    return {
        "reservationId": str(new_id()),
        "orderId": str(new_id()),
        "fingerprint": "a" * 64,
        "userId": str(new_id()),
        "idempotencyKey": "key",
        "items": [{"variantId": str(variant), "quantity": quantity}],
    } | changes


RESERVE = "/internal/inventory/reserve"
RELEASE = "/internal/inventory/release"


async def test_a_reservation_is_answered_with_what_an_order_needs(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    body = wanted(variant, 2)
    answer = await catalog.post(RESERVE, body)
    assert answer.status_code == 200
    reserved = answer.json()
    assert reserved.pop("expiresAt").endswith("Z")
    assert reserved == {
        "reservationId": body["reservationId"],
        "orderId": body["orderId"],
        "items": [
            {
                "variantId": str(variant),
                "productId": str(await catalog.product_of(variant)),
                "sku": variant.hex,
                "name": "Kurta (M)",
                "sellerId": str(seller_id),
                "quantity": 2,
                "unitPrice": {"amount": 149_900, "currency": "INR"},
            }
        ],
    }


async def test_a_retry_is_answered_alike_and_with_the_first_order_id(catalog: Catalog) -> None:
    body = wanted(await catalog.variant(5))
    first = await catalog.post(RESERVE, body)
    again = await catalog.post(RESERVE, body | {"orderId": str(new_id())})
    assert again.json() == first.json()


async def test_100_callers_of_10_units_get_exactly_10(catalog: Catalog) -> None:
    variant = await catalog.variant(10)
    answers = await asyncio.gather(*(catalog.post(RESERVE, wanted(variant)) for _ in range(100)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(409)) == (10, 90)
    assert (await catalog.shelf(variant)).adds_up


async def test_a_short_line_is_named(catalog: Catalog) -> None:
    variant = await catalog.variant(1)
    answer = await catalog.post(RESERVE, wanted(variant, 2))
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_stock")
    assert answer.json()["items"] == [{"variantId": str(variant), "requested": 2, "available": 1}]


async def test_an_unknown_variant_is_refused(catalog: Catalog) -> None:
    answer = await catalog.post(RESERVE, wanted(new_id()))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_variant")


@pytest.mark.parametrize("quantity", [0, -1, 2**31, "5", True, 5.0])
async def test_an_odd_quantity_is_refused(catalog: Catalog, quantity: Any) -> None:
    answer = await catalog.post(RESERVE, wanted(new_id(), quantity))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/0/quantity"]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"a": "\xff"}', "application/json", 400),
        (b'{"a": NaN}', "application/json", 422),
        (b'{"a": 1e400}', "application/json", 422),
        (b'{"fingerprint": "\\u0000"}', "application/json", 422),
        (b"", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413),
    ],
)
async def test_what_is_no_proper_json_is_refused(
    catalog: Catalog, content: bytes, content_type: str, status: int
) -> None:
    headers = catalog.service() | {"content-type": content_type}
    answer = await catalog.client.post(RESERVE, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [RESERVE, RELEASE, "/internal/inventory/confirm", "/internal/products/quote"],
)
async def test_internal_calls_want_a_service_token(catalog: Catalog, path: str) -> None:
    body = wanted(new_id())
    for headers in ({}, catalog.bearer(Role.ADMIN)):
        answer = await catalog.client.post(path, json=body, headers=headers)
        assert answer.status_code == 401


async def test_releasing_twice_is_fine_and_counts_once(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    body = wanted(variant, 2)
    await catalog.post(RESERVE, body)
    for _ in range(2):
        answer = await catalog.post(
            RELEASE, {"reservationId": body["reservationId"], "reason": "test"}
        )
        assert answer.json() == {"reservationId": body["reservationId"], "status": "RELEASED"}
    assert (await catalog.shelf(variant)).available == 5


async def test_releasing_what_was_never_reserved_is_not_found(catalog: Catalog) -> None:
    answer = await catalog.post(RELEASE, {"reservationId": str(new_id()), "reason": "test"})
    assert answer.status_code == 404


async def test_released_units_can_be_bought_at_once(catalog: Catalog) -> None:
    variant = await catalog.variant(1)
    body = wanted(variant)
    await catalog.post(RESERVE, body)
    assert (await catalog.post(RESERVE, wanted(variant))).status_code == 409
    await catalog.post(RELEASE, {"reservationId": body["reservationId"], "reason": "test"})
    assert (await catalog.post(RESERVE, wanted(variant))).status_code == 200


async def test_a_quote_names_prices_stock_and_what_is_missing(catalog: Catalog) -> None:
    variant, unknown = await catalog.variant(5), new_id()
    items = [{"variantId": str(v), "quantity": 1} for v in (variant, unknown, variant)]
    quote = (await catalog.post("/internal/products/quote", {"items": items})).json()
    assert quote["missing"] == [str(unknown)]
    assert [(line["quantity"], line["available"]) for line in quote["items"]] == [(2, 5)]
    assert quote["items"][0]["unitPrice"] == {"amount": 149_900, "currency": "INR"}


async def test_a_users_store_is_named_to_services(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    path = "/internal/sellers/by-user"
    answer = await catalog.client.get(f"{path}/{user_id}", headers=catalog.service())
    assert (answer.json()["id"], answer.json()["status"]) == (str(seller_id), "ACTIVE")
    nobody = await catalog.client.get(f"{path}/{UNKNOWN}", headers=catalog.service())
    assert nobody.status_code == 404
    assert (await catalog.client.get(f"{path}/{user_id}")).status_code == 401


async def test_displayed_stock_follows_a_reservation(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    path = f"/api/inventory/{variant}"
    assert (await catalog.client.get(path)).json()["available"] == 5
    await catalog.reserve((variant, 2))
    await catalog.deps.batcher.close()
    assert (await catalog.client.get(path)).json()["available"] == 3


async def test_restocking_writes_the_ledger(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    answer = await catalog.client.post(
        f"/api/inventory/{variant}/adjust",
        json={"delta": 10, "reason": "delivery", "kind": "RESTOCK"},
        headers=catalog.bearer(Role.ADMIN),
    )
    assert (answer.json()["quantity"], answer.json()["version"]) == (15, 2)
    assert (await catalog.shelf(variant)).adds_up


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


async def adjusted(catalog: Catalog, variant: UUID, delta: int, **given: Any) -> Any:
    headers = catalog.bearer(Role.ADMIN) | given.pop("headers", {})
    body = {"delta": delta, "reason": "count"} | given
    path = f"/api/inventory/{variant}/adjust"
    return await catalog.client.post(path, json=body, headers=headers)


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


async def low(catalog: Catalog, headers: dict[str, str], **params: Any) -> list[str]:
    answer = await catalog.client.get(
        "/api/inventory/low-stock", params=params | {"limit": 100}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return [item["variantId"] for item in answer.json()["items"]]


async def test_low_stock_names_what_is_at_or_below_its_level(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    owner, admin = catalog.bearer(Role.SELLER, user_id), catalog.bearer(Role.ADMIN)
    own = [
        await catalog.variant(quantity, reorder_level=level, seller_id=seller_id)
        for quantity, level in ((3, 3), (4, 3), (0, 0), (1, 0))
    ]
    await catalog.variant(0, seller_id=seller_id, status=ProductStatus.ARCHIVED)
    assert await low(catalog, owner) == [str(own[0]), str(own[2])]
    await catalog.reserve((own[1], 1))
    assert await low(catalog, owner, sellerId=str(seller_id)) == [str(each) for each in own[:3]]
    assert await low(catalog, admin, sellerId=str(seller_id)) == [str(each) for each in own[:3]]
    await adjusted(catalog, own[0], 1)
    assert await low(catalog, owner) == [str(own[1]), str(own[2])]


async def test_an_administrator_walks_through_all_that_is_low(catalog: Catalog) -> None:
    fresh = {str(await catalog.variant(0)) for _ in range(3)}
    found: list[str] = []
    url = "/api/inventory/low-stock?limit=40"
    while url:
        answer = await catalog.client.get(url, headers=catalog.bearer(Role.ADMIN))
        found += [item["variantId"] for item in answer.json()["items"]]
        url = answer.headers.get("link", "").removeprefix("<").removesuffix('>; rel="next"')
    assert fresh <= set(found)
    assert found == sorted(set(found))


async def test_what_is_low_is_found_without_a_look_at_the_rest(catalog: Catalog) -> None:
    for quantity in (0, 0, *[9] * 40):
        await catalog.variant(quantity)

    async def rows_read(session: ReadSession) -> int:
        query = sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(row[1]) for row in await session.execute(query))

    async with catalog.database.read_own_writes() as session:
        before = await rows_read(session)
        asking = await rows_read(session) - before
        found = await low_stock(session, None, after=None, limit=2)
        read = await rows_read(session) - before - 2 * asking
    assert len(found) == 2
    # Per item: its counter, variant and product; and a few to begin with.
    assert read <= 20


@pytest.mark.parametrize("path", ["low-stock", "{variant}/movements"])
async def test_shelves_are_for_those_who_keep_them(catalog: Catalog, path: str) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    _, stranger = await catalog.seller()
    url = f"/api/inventory/{path.format(variant=variant)}"
    query = f"?sellerId={seller_id}" if path == "low-stock" else ""
    for headers, status in (
        ({}, 401),
        (catalog.bearer(Role.CUSTOMER), 403),
        (catalog.bearer(Role.SELLER, stranger), 404),
        (catalog.bearer(Role.SELLER), 404),
        (catalog.bearer(Role.ADMIN), 200),
    ):
        assert (await catalog.client.get(url + query, headers=headers)).status_code == status
    for odd in ("limit=0", "limit=101", "cursor=x", "offset=1"):
        answer = await catalog.client.get(f"{url}?{odd}", headers=catalog.bearer(Role.ADMIN))
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

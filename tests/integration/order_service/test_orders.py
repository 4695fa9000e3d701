"""Placed orders: who sees them, who moves them, and what follows from it."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from common_lib.auth import Role
from order_service.settings import Settings
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.problems import code_of
from tests.shopper import Shopper, at_once, line


async def placed(shop: OpenShop, shopper: Shopper, **body: Any) -> dict[str, Any]:
    answer = await shopper.place([line(shop.sell())], **body)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def move(who: Shopper, order_id: str, status: str) -> httpx2.Response:
    return await who.request("PATCH", f"/api/orders/{order_id}/status", json={"status": status})


@pytest.mark.parametrize("path", ["", "/timeline", "/payments"])
async def test_anothers_order_looks_like_none(shop: OpenShop, path: str) -> None:
    order = await placed(shop, shop.somebody())
    other = shop.somebody()

    theirs = await other.request("GET", f"/api/orders/{order['id']}{path}")
    unknown = await other.request("GET", f"/api/orders/{uuid4()}{path}")

    assert (theirs.status_code, unknown.status_code) == (404, 404)
    assert code_of(theirs) == code_of(unknown) == "not_found"


@pytest.mark.parametrize(
    "order_id",
    ["x", "0", "null", "..%2e", "ffffffff-ffff-7fff-bfff-ffffffffffff", "%00", "' OR 1=1--"],
)
@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.ADMIN])
async def test_a_malformed_id_is_not_found(shop: OpenShop, order_id: str, role: Role) -> None:
    somebody = shop.somebody(role)

    for method, path, body in (
        ("GET", "", None),
        ("GET", "/timeline", None),
        ("GET", "/payments", None),
        ("PATCH", "/status", {"status": "CANCELLED"}),
        ("POST", "/cancel", {}),
    ):
        answer = await somebody.request(method, f"/api/orders/{order_id}{path}", json=body)
        assert answer.status_code == 404, f"{method} {path}: {answer.text}"


async def test_an_administrator_moves_an_order_to_the_door(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order = await placed(shop, shopper)

    for status in ("PROCESSING", "SHIPPED", "DELIVERED"):
        answer = await move(admin, order["id"], status)
        assert (answer.status_code, answer.json()["status"]) == (200, status)

    timeline = (await shopper.request("GET", f"/api/orders/{order['id']}/timeline")).json()
    assert [(step["from"], step["to"]) for step in timeline["items"]] == [
        (None, "PENDING"),
        ("PENDING", "CONFIRMED"),
        ("CONFIRMED", "PROCESSING"),
        ("PROCESSING", "SHIPPED"),
        ("SHIPPED", "DELIVERED"),
    ]
    changed_by = [step["changedBy"] for step in timeline["items"]]
    assert changed_by == [shopper.user_id, "system", *[admin.user_id] * 3]
    assert await shop.events_of(order["id"]) == [
        "ORDER_CREATED",
        "ORDER_CONFIRMED",
        "ORDER_SHIPPED",
        "PAYMENT_SUCCESS",
        "ORDER_DELIVERED",
    ]
    payment = (await shopper.order(order["id"]))["payment"]
    assert payment["status"] == "SUCCESS"
    parcels = await shop.rows(
        "SELECT status FROM shipments WHERE order_id = UNHEX(REPLACE(:id, '-', ''))",
        id=order["id"],
    )
    assert [status for (status,) in parcels] == ["DELIVERED"]


async def test_a_delivered_order_does_not_become_pending(shop: OpenShop) -> None:
    admin, order = shop.somebody(Role.ADMIN), await placed(shop, shop.somebody())
    for status in ("SHIPPED", "DELIVERED"):
        await move(admin, order["id"], status)

    answer = await move(admin, order["id"], "PENDING")

    assert (answer.status_code, code_of(answer)) == (409, "illegal_transition")
    assert answer.json()["allowed"] == ["REFUNDED"]


async def test_a_customer_may_cancel_and_nothing_else(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await placed(shop, shopper)

    refused = await move(shopper, order["id"], "SHIPPED")
    cancelled = await move(shopper, order["id"], "CANCELLED")

    assert (refused.status_code, code_of(refused)) == (403, "move_not_yours")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLED")


async def test_cancelling_twice_at_once_is_one_cancellation(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await placed(shop, shopper)
    path = f"/api/orders/{order['id']}/cancel"

    answers = await at_once(*(shopper.request("POST", path) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    assert (await shop.events_of(order["id"])).count("ORDER_CANCELLED") == 1


async def test_a_shipped_order_is_not_cancelled(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await placed(shop, shopper)
    await move(shop.somebody(Role.ADMIN), order["id"], "SHIPPED")

    answer = await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    assert (answer.status_code, code_of(answer)) == (409, "illegal_transition")


async def test_cancelling_closes_an_attempt_to_pay_that_was_not_sent(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await placed(shop, shopper, paymentMethod="UPI")

    cancelled = await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    assert cancelled.json()["payment"]["status"] == "FAILED"
    assert cancelled.json()["payment"]["nextAction"] is None


async def test_a_seller_ships_own_goods_only(shop: OpenShop) -> None:
    seller, stranger = shop.somebody(Role.SELLER), shop.somebody(Role.SELLER)
    store = str(uuid4())
    shop.neighbours.sellers[seller.user_id] = store
    shop.neighbours.sellers[stranger.user_id] = str(uuid4())
    own, foreign = shop.sell(seller_id=store), shop.sell()
    alone = (await shop.somebody().place([line(own)])).json()
    shared = (await shop.somebody().place([line(own), line(foreign)])).json()

    shipped = await move(seller, alone["id"], "SHIPPED")
    mixed = await move(seller, shared["id"], "SHIPPED")
    cancelled = await move(seller, alone["id"], "CANCELLED")
    unknown = await move(stranger, alone["id"], "DELIVERED")

    assert shipped.status_code == 200, shipped.text
    assert (mixed.status_code, code_of(mixed)) == (403, "order_has_other_sellers")
    assert cancelled.status_code == 403
    assert unknown.status_code == 404
    seen = await seller.order(shared["id"])
    assert [item["variantId"] for item in seen["items"]] == [own]


async def test_a_list_is_stable_while_orders_are_placed(shop: OpenShop) -> None:
    shopper = shop.somebody()
    made = [(await placed(shop, shopper))["id"] for _ in range(5)]

    first = await shopper.request("GET", "/api/orders?limit=2")
    await placed(shop, shopper)
    second = await shopper.request(
        "GET", f"/api/orders?limit=2&cursor={first.json()['nextCursor']}"
    )
    third = await shopper.request("GET", second.headers["link"].partition(">")[0].lstrip("<"))

    pages = [first.json(), second.json(), third.json()]
    seen = [item["id"] for page in pages for item in page["items"]]
    assert seen == made[::-1]
    assert pages[2]["nextCursor"] is None
    assert "link" not in third.headers


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=!", "status=LOST"])
async def test_a_list_refuses_what_it_does_not_know(shop: OpenShop, query: str) -> None:
    answer = await shop.somebody().request("GET", f"/api/orders?{query}")

    assert answer.status_code == 422


async def test_an_administrator_lists_by_customer_and_status(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    cancelled, _ = await placed(shop, shopper), await placed(shop, shopper)
    await move(admin, cancelled["id"], "CANCELLED")
    query = f"userId={shopper.user_id}&status=CANCELLED"

    found = (await admin.request("GET", f"/api/orders?{query}")).json()["items"]
    others = (await shop.somebody().request("GET", f"/api/orders?{query}")).json()["items"]

    assert [order["id"] for order in found] == [cancelled["id"]]
    assert others == []


async def test_the_number_of_statements_of_a_list_does_not_grow(shop: OpenShop) -> None:
    shopper = shop.somebody()

    async def round_trips() -> int:
        shop.wire.statements.clear()
        await shopper.request("GET", "/api/orders?limit=50")
        return len(shop.wire.statements)

    await placed(shop, shopper)
    one = await round_trips()
    for _ in range(7):
        await placed(shop, shopper)

    assert await round_trips() == one


async def test_an_unpaid_order_expires_and_gives_its_slot_back(open_shop: OpenIt) -> None:
    shop = await open_shop(unpaid_order_ttl_s=1, max_open_unpaid_orders=1)
    shopper = shop.somebody()
    order = await placed(shop, shopper, paymentMethod="UPI")
    await _let_overdue(shop, order["id"])

    assert await shop.cases.orders.expire_unpaid() >= 1

    assert (await shopper.order(order["id"]))["status"] == "CANCELLED"
    assert (await shop.events_of(order["id"])).count("ORDER_CANCELLED") == 1
    again = await placed(shop, shopper, paymentMethod="UPI")
    assert again["status"] == "PENDING"


async def _let_overdue(shop: OpenShop, order_id: str) -> None:
    async with shop.database.connection() as connection:
        await connection.exec_driver_sql(
            "UPDATE unpaid_orders SET due_at = '2026-01-01' WHERE order_id = %s",
            (bytes.fromhex(order_id.replace("-", "")),),
        )
        await connection.commit()


async def test_an_order_moved_by_hand_counts_as_paid(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order = await placed(shop, shopper, paymentMethod="NET_BANKING")

    moved = (await move(admin, order["id"], "CONFIRMED")).json()

    assert (moved["status"], moved["payment"]["status"]) == ("CONFIRMED", "SUCCESS")
    assert (
        await shop.rows(
            "SELECT 1 FROM unpaid_orders WHERE order_id = UNHEX(REPLACE(:id, '-', ''))",
            id=order["id"],
        )
        == []
    )


def test_production_refuses_a_development_secret() -> None:
    with pytest.raises(ValueError, match="SHOP_PAYMENT_WEBHOOK_SECRET"):
        Settings.model_validate(
            {
                "profile": "production",
                "payment_webhook_secret": "changeme",
                "database_url": "mysql+asyncmy://u:p@h/orders_db",
            }
        )

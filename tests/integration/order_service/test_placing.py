"""POST /api/orders: one key, one order, whatever happens in between."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from common_lib.auth import Role
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.integration.order_service.proxy import Cut
from tests.shopper import ADDRESS, Shopper, at_once, line
from tests.waiting import eventually


async def new_coupon(shop: OpenShop, **changes: Any) -> str:
    code = f"T-{uuid4().hex[:12]}".upper()
    body = {
        "code": code,
        "type": "FIXED",
        "amount": {"amount": 10_000, "currency": "INR"},
        "validFrom": "2026-01-01T00:00:00Z",
        "validUntil": "2030-01-01T00:00:00Z",
    } | changes
    answer = await shop.somebody(Role.ADMIN).request("POST", "/api/coupons", json=body)
    assert answer.status_code == 201, answer.text
    return code


async def orders_of(shop: OpenShop, shopper: Shopper) -> int:
    count: int = await shop.one(
        "SELECT COUNT(*) FROM orders WHERE user_id = UNHEX(REPLACE(:id, '-', ''))",
        id=shopper.user_id,
    )
    return count


def code_of(answer: httpx2.Response) -> str | None:
    code: str | None = answer.json().get("code")
    return code


async def test_an_order_is_answered_as_the_api_says(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(price=24_950)

    answer = await shopper.place([line(variant, 2)], paymentMethod="UPI", notes="ring twice")

    body = answer.json()
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/orders/{body['id']}"
    assert body["orderNumber"].startswith("ORD-")
    assert body["status"] == "PENDING"
    assert body["subtotal"] == {"amount": 49_900, "currency": "INR"}
    assert body["total"] == {"amount": 49_900, "currency": "INR"}
    assert body["shippingAddress"] == ADDRESS
    assert body["payment"]["status"] == "PENDING"
    assert body["payment"]["nextAction"]["href"] == f"/api/orders/{body['id']}/payments"
    assert (await shopper.order(body["id"])) == body
    assert await shop.events_of(body["id"]) == ["ORDER_CREATED"]


async def test_a_small_order_pays_for_shipping(shop: OpenShop) -> None:
    body = (await shop.somebody().place([line(shop.sell(price=10_000))])).json()

    assert body["shipping"] == {"amount": 4_900, "currency": "INR"}
    assert body["total"] == {"amount": 14_900, "currency": "INR"}


async def test_cash_on_delivery_is_confirmed_with_the_order(shop: OpenShop) -> None:
    body = (await shop.somebody().place([line(shop.sell())])).json()

    assert body["status"] == "CONFIRMED"
    assert body["payment"]["provider"] == "cash"
    assert await shop.events_of(body["id"]) == ["ORDER_CREATED", "ORDER_CONFIRMED"]


async def test_fifty_parallel_requests_with_one_key_make_one_order(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex

    answers = await at_once(*(shopper.place([line(variant)], key=key) for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    placed = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.json()["id"] for answer in placed}) == 1
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert {code_of(answer) for answer in waiting} <= {"request_in_flight"}
    assert {answer.headers["retry-after"] for answer in waiting} <= {"1"}
    assert await orders_of(shop, shopper) == 1
    assert shop.neighbours.held(variant) == 1


async def test_fifty_parallel_requests_without_redis_make_one_order(open_shop: OpenIt) -> None:
    shop = await open_shop(redis_url="redis://127.0.0.1:1/0")
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex

    answers = await at_once(*(shopper.place([line(variant)], key=key) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await orders_of(shop, shopper) == 1
    assert shop.neighbours.held(variant) == 1
    assert code_of(await shopper.add_to_cart(variant)) == "cart_unavailable"


async def test_the_same_request_replays_the_stored_answer(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    first = await shopper.place([line(variant)], key=key)

    again = await shopper.place([line(variant)], key=key)

    assert again.status_code == 201
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


async def test_another_body_with_the_same_key_is_refused(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    await shopper.place([line(variant)], key=key)

    answer = await shopper.place([line(variant, 2)], key=key)

    assert (answer.status_code, code_of(answer)) == (422, "idempotency_key_reused")


async def test_another_customers_key_is_another_key(shop: OpenShop) -> None:
    variant, key = shop.sell(), uuid4().hex

    first = await shop.somebody().place([line(variant)], key=key)
    second = await shop.somebody().place([line(variant)], key=key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("name", ["idempotencyKey", "idempotency_key"])
async def test_the_key_may_come_in_the_body(shop: OpenShop, name: str) -> None:
    shopper, key = shop.somebody(), uuid4().hex
    items = [line(shop.sell())]
    body = {"items": items, "shippingAddress": ADDRESS, "paymentMethod": "COD", name: key}

    first = await shopper.request("POST", "/api/orders", json=body)
    header = await shopper.place(items, key=key)

    assert first.status_code == 201, first.text
    assert header.json()["id"] == first.json()["id"]


async def test_an_order_without_a_key_is_refused(shop: OpenShop) -> None:
    body = {"items": [line(shop.sell())], "shippingAddress": ADDRESS, "paymentMethod": "COD"}

    answer = await shop.somebody().request("POST", "/api/orders", json=body)

    assert (answer.status_code, code_of(answer)) == (400, "idempotency_key_required")


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 1},
        {"userId": str(uuid4())},
        {"unit_price": 5},
        {"items": []},
        {"items": [{"variantId": str(uuid4()), "quantity": -5}]},
        {"items": [{"variantId": str(uuid4()), "quantity": True}]},
        {"items": [{"variantId": str(uuid4()), "quantity": "5"}]},
        {"items": [{"variantId": str(uuid4()), "quantity": 5.0}]},
        {"items": [{"variantId": "x", "quantity": 1}]},
        {"items": [{"variantId": str(uuid4()), "quantity": 1}] * 101},
        {"shippingAddress": None},
        {"addressId": str(uuid4())},
        {"paymentMethod": "BARTER"},
        {"expectedTotal": {"amount": 1.5, "currency": "INR"}},
        {"notes": "x" * 501},
    ],
)
async def test_a_body_that_does_not_fit_is_refused(shop: OpenShop, changes: dict[str, Any]) -> None:
    shopper = shop.somebody()
    body = {"items": [line(shop.sell())], "shippingAddress": ADDRESS, "paymentMethod": "COD"}

    answer = await shopper.request(
        "POST", "/api/orders", headers={"Idempotency-Key": "k"}, json=body | changes
    )

    assert (answer.status_code, code_of(answer)) == (422, "validation_failed")
    assert await orders_of(shop, shopper) == 0
    assert shop.neighbours.holds == {}


async def test_duplicate_variants_are_merged(shop: OpenShop) -> None:
    variant = shop.sell(price=10_000)

    body = (await shop.somebody().place([line(variant), line(variant, 4)])).json()

    assert [item["quantity"] for item in body["items"]] == [5]


async def test_insufficient_stock_names_the_lines_and_holds_nothing(shop: OpenShop) -> None:
    plenty, scarce = shop.sell(), shop.sell(stock=1)

    answer = await shop.somebody().place([line(plenty), line(scarce, 2)])

    assert (answer.status_code, code_of(answer)) == (409, "insufficient_stock")
    assert [item["variantId"] for item in answer.json()["items"]] == [scarce]
    assert shop.neighbours.holds == {}


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_variant_that_is_not_sold_is_refused(shop: OpenShop, is_known: bool) -> None:
    variant = shop.sell(is_active=False) if is_known else str(uuid4())

    answer = await shop.somebody().place([line(variant)])

    assert (answer.status_code, code_of(answer)) == (422, "unknown_variant")


async def test_a_changed_price_gives_the_stock_back_and_needs_a_new_key(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(price=60_000), uuid4().hex
    expected = {"amount": 55_000, "currency": "INR"}

    answer = await shopper.place([line(variant)], key=key, expectedTotal=expected)
    again = await shopper.place([line(variant)], key=key, expectedTotal=expected)
    corrected = await shopper.place([line(variant)], expectedTotal=answer.json()["total"])

    assert (answer.status_code, code_of(answer)) == (409, "price_changed")
    assert "new idempotency key" in answer.json()["detail"]
    assert again.content == answer.content
    assert len(shop.neighbours.releases) == 1
    assert corrected.status_code == 201, corrected.text


async def test_the_address_is_a_snapshot_of_the_address_book(shop: OpenShop) -> None:
    shopper, address_id = shop.somebody(), str(uuid4())
    book = shop.neighbours.addresses
    book[shopper.user_id, address_id] = dict(ADDRESS)
    items = [line(shop.sell())]

    order = (await shopper.place(items, addressId=address_id, shippingAddress=None)).json()
    book[shopper.user_id, address_id]["city"] = "Pune"

    assert (await shopper.order(order["id"]))["shippingAddress"]["city"] == "Bengaluru"


async def test_an_edited_address_counts_from_the_next_order_on(shop: OpenShop) -> None:
    shopper, address_id = shop.somebody(), str(uuid4())
    book = shop.neighbours.addresses
    book[shopper.user_id, address_id] = dict(ADDRESS)

    async def city() -> str:
        items = [line(shop.sell())]
        placed = await shopper.place(items, addressId=address_id, shippingAddress=None)
        found: str = placed.json()["shippingAddress"]["city"]
        return found

    before = await city()
    book[shopper.user_id, address_id]["city"] = "Pune"

    assert (before, await city()) == ("Bengaluru", "Pune")


async def test_a_foreign_address_is_not_found(shop: OpenShop) -> None:
    shopper, items = shop.somebody(), [line(shop.sell())]

    answer = await shopper.place(items, addressId=str(uuid4()), shippingAddress=None)

    assert (answer.status_code, code_of(answer)) == (404, "address_not_found")
    assert shop.neighbours.holds == {}


async def test_fifty_buyers_and_one_coupon_make_one_discount(shop: OpenShop) -> None:
    variant, code = shop.sell(price=60_000), await new_coupon(shop, usageLimit=1)
    buyers = [shop.somebody() for _ in range(50)]

    answers = await at_once(*(b.place([line(variant)], couponCode=code) for b in buyers))

    placed = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert [answer.json()["discount"]["amount"] for answer in placed] == [10_000]
    assert {(a.status_code, code_of(a)) for a in refused} == {(409, "coupon_exhausted")}
    assert shop.neighbours.held(variant) == 1
    assert await shop.one("SELECT used_count FROM coupons WHERE code = :code", code=code) == 1


async def test_a_coupon_is_used_as_often_as_one_customer_may(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(price=60_000)
    code = await new_coupon(shop, perUserLimit=2)

    answers = await at_once(*(shopper.place([line(variant)], couponCode=code) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    refused = {code_of(answer) for answer in answers if answer.status_code == 409}
    assert refused == {"coupon_already_used"}
    assert shop.neighbours.held(variant) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"validUntil": "2026-02-01T00:00:00Z"}, "coupon_expired"),
        ({"validFrom": "2029-02-01T00:00:00Z"}, "coupon_not_yet_valid"),
        ({"isActive": False}, "coupon_invalid"),
        ({"minOrder": {"amount": 90_000, "currency": "INR"}}, "coupon_minimum_not_reached"),
    ],
)
async def test_a_coupon_that_does_not_fit_is_refused(
    shop: OpenShop, changes: dict[str, Any], code: str
) -> None:
    variant, coupon = shop.sell(price=60_000), await new_coupon(shop, **changes)

    answer = await shop.somebody().place([line(variant)], couponCode=coupon)

    assert (answer.status_code, code_of(answer)) == (422, code)
    assert shop.neighbours.held(variant) == 0


async def test_a_cancelled_order_gives_its_coupon_back(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(price=60_000)
    code = await new_coupon(shop, usageLimit=1)
    order = (await shopper.place([line(variant)], couponCode=code)).json()

    for _ in range(2):
        await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    again = await shopper.place([line(variant)], couponCode=code)
    assert again.status_code == 201, again.text


async def test_the_sixth_open_unpaid_order_is_refused_also_at_once(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()

    answers = await at_once(
        *(shopper.place([line(variant)], paymentMethod="UPI") for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 5
    refused = {code_of(answer) for answer in answers if answer.status_code == 409}
    assert refused == {"too_many_open_orders"}
    assert shop.neighbours.held(variant) == 5
    cash = await shopper.place([line(variant)])
    assert cash.status_code == 201, cash.text


async def test_a_lost_answer_to_commit_is_read_again_and_not_compensated(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shop.somebody().place([line(variant)])  # opens the connection that is to be cut
    shop.wire.cut = Cut.AFTER_THE_SERVER

    answer = await shopper.place([line(variant)])

    assert answer.status_code == 201, answer.text
    assert shop.wire.cut is None
    assert await orders_of(shop, shopper) == 1
    assert shop.neighbours.releases == []


async def test_a_commit_that_never_arrived_is_made_again(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shop.somebody().place([line(variant)])  # opens the connection that is to be cut
    shop.wire.cut = Cut.BEFORE_THE_SERVER

    answer = await shopper.place([line(variant)])

    assert answer.status_code == 201, answer.text
    assert await orders_of(shop, shopper) == 1
    assert shop.neighbours.held(variant) == 2


async def test_nothing_is_released_while_the_catalog_is_away(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    shop.neighbours.is_catalog_down = True
    away = await shopper.place([line(variant)], key=key)
    shop.neighbours.is_catalog_down = False

    back = await shopper.place([line(variant)], key=key)

    assert away.status_code == 503
    assert away.headers["retry-after"] == "1"
    assert back.status_code == 201, back.text


async def test_the_sweeper_is_told_of_a_placed_order(shop: OpenShop) -> None:
    shopper, key = shop.somebody(), uuid4().hex
    order = (await shopper.place([line(shop.sell())], key=key)).json()

    answer = await shop.http.post(
        "/internal/orders/abort",
        headers=shop.service_headers(),
        json={"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())},
    )

    assert answer.json() == {"outcome": "PLACED", "orderId": order["id"]}


async def test_an_aborted_key_never_becomes_an_order(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    body = {"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())}

    for _ in range(2):
        answer = await shop.http.post(
            "/internal/orders/abort", headers=shop.service_headers(), json=body
        )
        assert answer.json() == {"outcome": "ABORTED", "orderId": None}

    late = await shopper.place([line(variant)], key=key)
    assert (late.status_code, code_of(late)) == (422, "order_aborted")
    assert await orders_of(shop, shopper) == 0


async def test_an_abort_while_the_order_is_being_placed_wins_or_loses_wholly(
    shop: OpenShop,
) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    body = {"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())}

    async def sweep() -> None:
        await shop.http.post("/internal/orders/abort", headers=shop.service_headers(), json=body)

    shop.neighbours.on_reserved = sweep
    answer = await shopper.place([line(variant)], key=key)

    assert (answer.status_code, code_of(answer)) == (422, "order_aborted")
    assert await orders_of(shop, shopper) == 0
    assert shop.neighbours.releases == []  # that is the sweeper's to do


async def test_only_the_catalog_may_abort(shop: OpenShop) -> None:
    body = {"userId": str(uuid4()), "idempotencyKey": "k", "reservationId": str(uuid4())}

    nobody = await shop.http.post("/internal/orders/abort", json=body)
    gateway = await shop.http.post(
        "/internal/orders/abort", headers=shop.service_headers("gateway"), json=body
    )
    customer = await shop.somebody().request("POST", "/internal/orders/abort", json=body)

    assert (nobody.status_code, gateway.status_code, customer.status_code) == (401, 403, 401)


async def test_the_cart_is_ordered_and_cleared(shop: OpenShop) -> None:
    shopper, first, second = shop.somebody(), shop.sell(price=30_000), shop.sell(price=20_000)
    await shopper.add_to_cart(first, 2)
    await shopper.add_to_cart(second)

    order = (await shopper.place()).json()

    assert order["subtotal"] == {"amount": 80_000, "currency": "INR"}

    async def is_empty() -> bool:
        cart = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
        return bool(cart.json()["items"] == [])

    await eventually(is_empty, what="the ordered cart is cleared")


async def test_a_cart_edited_meanwhile_is_kept(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shopper.add_to_cart(variant)

    async def edit() -> None:
        await shopper.add_to_cart(variant)

    shop.neighbours.on_reserved = edit
    order = await shopper.place()
    # What runs after the answer has run once the next request of this connection is answered.
    await asyncio.gather(*(shopper.order(order.json()["id"]) for _ in range(3)))

    cart = (await shopper.request("GET", f"/api/cart/{shopper.user_id}")).json()
    assert [item["quantity"] for item in cart["items"]] == [2]


async def test_an_empty_cart_cannot_be_ordered(shop: OpenShop) -> None:
    answer = await shop.somebody().place()

    assert (answer.status_code, code_of(answer)) == (422, "cart_empty")


async def test_a_guest_does_not_order(shop: OpenShop) -> None:
    answer = await shop.somebody(Role.GUEST).place([line(shop.sell())])

    assert answer.status_code == 403


async def test_the_number_of_round_trips_does_not_grow_with_the_lines(shop: OpenShop) -> None:
    shopper, variants = shop.somebody(), [shop.sell(price=1_000) for _ in range(60)]
    await shopper.place([line(variants[0])])

    async def round_trips(lines: int) -> int:
        shop.wire.statements.clear()
        answer = await shopper.place([line(variant) for variant in variants[:lines]])
        assert answer.status_code == 201, answer.text
        return len(shop.wire.statements)

    assert await round_trips(1) == await round_trips(60)


async def test_the_openapi_document_tells_how_to_place_an_order(shop: OpenShop) -> None:
    document = (await shop.http.get("/openapi.json")).json()

    place = document["paths"]["/api/orders"]["post"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in place["parameters"]}
    assert place["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/PlaceOrder"
    )
    assert "201" in place["responses"]
    assert not any(path.startswith("/internal") for path in document["paths"])

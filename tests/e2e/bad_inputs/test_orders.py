"""Carts and orders: others', too many, too late, too much."""

from typing import Any
from uuid import uuid4

import pytest

from tests.problems import assert_problem
from tests.shopper import ADDRESS, Shopper, line, new_product
from tests.waiting import eventually


async def test_others_carts_and_orders_look_like_unknown_ones(
    shopper: Shopper, other: Shopper, variant_id: str
) -> None:
    order = (await other.place([line(variant_id)])).json()
    for method, path in (
        ("GET", f"/api/cart/{other.user_id}"),
        ("DELETE", f"/api/cart/{other.user_id}"),
        ("GET", f"/api/orders/{order['id']}"),
        ("GET", f"/api/orders/{order['id']}/timeline"),
        ("POST", f"/api/orders/{order['id']}/cancel"),
        ("GET", "/api/orders/not-an-id"),
        ("GET", f"/api/orders/{uuid4()}"),
    ):
        assert_problem(await shopper.request(method, path), 404)
    body = line(variant_id)
    assert_problem(await shopper.request("POST", f"/api/cart/{other.user_id}", json=body), 404)


@pytest.mark.parametrize("quantity", [-5, 0, 2**31, 2**70, "5", 5.0, True, None])
async def test_a_quantity_is_a_small_positive_number(
    shopper: Shopper, variant_id: str, quantity: Any
) -> None:
    body = {"variantId": variant_id, "quantity": quantity}
    cart = await shopper.request("POST", f"/api/cart/{shopper.user_id}", json=body)

    assert_problem(cart, 422)
    assert_problem(await shopper.place([body]), 422)


async def test_a_hundred_and_one_lines_are_too_many(shopper: Shopper, seller: Shopper) -> None:
    product = await new_product(seller, quantity=1, variants=50)
    known = [variant["id"] for variant in product["variants"]]
    lines = [line(variant) for variant in known + [str(uuid4()) for _ in range(51)]]

    assert_problem(await shopper.place(lines), 422)


async def test_duplicate_variants_are_merged(shopper: Shopper, variant_id: str) -> None:
    order = (await shopper.place([line(variant_id, 1), line(variant_id, 2)])).json()

    assert [item["quantity"] for item in order["items"]] == [3]


async def test_too_little_stock_names_the_short_lines_and_holds_nothing(
    shopper: Shopper, seller: Shopper, variant_id: str
) -> None:
    short = (await new_product(seller, quantity=1))["variants"][0]["id"]

    answer = await shopper.place([line(variant_id, 2), line(short, 2)])

    assert_problem(answer, 409, "insufficient_stock")
    assert [item["variantId"] for item in answer.json()["items"]] == [short]
    whole = await shopper.place([line(variant_id, 50), line(short, 1)])
    assert whole.status_code == 201, whole.text


async def test_orders_move_along_their_graph_only(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    order = (await shopper.place([line(variant_id)])).json()
    path = f"/api/orders/{order['id']}/status"

    assert_problem(await shopper.request("PATCH", path, json={"status": "SHIPPED"}), 403)
    for status in ("PROCESSING", "SHIPPED", "DELIVERED"):
        assert (await admin.request("PATCH", path, json={"status": status})).status_code == 200
    assert_problem(await admin.request("PATCH", path, json={"status": "PENDING"}), 409)
    assert_problem(await shopper.request("POST", f"/api/orders/{order['id']}/cancel"), 409)


async def test_a_sixth_unpaid_order_is_one_too_many(shopper: Shopper, variant_id: str) -> None:
    answers = [await shopper.place([line(variant_id)], paymentMethod="UPI") for _ in range(6)]

    assert [answer.status_code for answer in answers[:5]] == [201] * 5
    assert_problem(answers[5], 409, "too_many_open_orders")


async def test_no_more_is_refunded_than_was_paid(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    order = (await shopper.place([line(variant_id)], paymentMethod="UPI")).json()
    payment = (await shopper.pay(order["id"])).json()

    async def paid() -> bool:
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(paid)
    too_much = {"amount": {"amount": order["total"]["amount"] + 1, "currency": "INR"}}
    answer = await admin.request(
        "POST",
        f"/api/payments/{payment['id']}/refunds",
        json=too_much,
        headers={"Idempotency-Key": uuid4().hex},
    )

    assert_problem(answer, 409)


async def test_an_expired_coupon_is_refused(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    code = f"OLD{uuid4().hex[:8].upper()}"
    coupon = await admin.request(
        "POST",
        "/api/coupons",
        json={
            "code": code,
            "type": "PERCENTAGE",
            "percentBasisPoints": 1000,
            "validFrom": "2020-01-01T00:00:00Z",
            "validUntil": "2021-01-01T00:00:00Z",
        },
    )
    assert coupon.status_code == 201, coupon.text

    assert_problem(await shopper.place([line(variant_id)], couponCode=code), 422)


async def test_the_address_of_an_order_is_a_snapshot(shopper: Shopper, variant_id: str) -> None:
    path = f"/api/users/{shopper.user_id}/addresses"
    address = (await shopper.request("POST", path, json=ADDRESS)).json()
    body = {"items": [line(variant_id)], "paymentMethod": "COD", "addressId": address["id"]}
    order = await shopper.request(
        "POST", "/api/orders", json=body, headers={"Idempotency-Key": uuid4().hex}
    )
    assert order.status_code == 201, order.text

    changed = ADDRESS | {"city": "Mysuru"}
    edited = await shopper.request("PUT", f"{path}/{address['id']}", json=changed)
    assert edited.status_code == 200, edited.text

    assert (await shopper.order(order.json()["id"]))["shippingAddress"]["city"] == "Bengaluru"

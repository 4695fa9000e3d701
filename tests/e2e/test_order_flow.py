"""The brief's fourteen steps, from the request to the e-mail as it was sent."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.mailbox import mails_to
from tests.shopper import ADDRESS, Shopper, at_once, line, new_product
from tests.waiting import eventually


async def mail_with(stack: NativeStack, recipient: str, subject: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        mails = await mails_to(stack, recipient)
        return next((mail for mail in mails if mail["subject"].startswith(subject)), None)

    mail: dict[str, Any] = await eventually(found, timeout_s=120, what=subject)
    return mail


async def has_empty_cart(shopper: Shopper) -> bool:
    cart = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    return bool(cart.json()["items"] == [])


async def test_an_order_goes_from_the_cart_to_the_mail(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=10)
    variant_id = product["variants"][0]["id"]
    cart = await shopper.add_to_cart(variant_id, 2)
    assert cart.json()["subtotal"] == {"amount": 99_800, "currency": "INR"}

    placed = await shopper.place(paymentMethod="UPI")

    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert order["status"] == "PENDING"
    # The cart is cleared after the answer.
    await eventually(lambda: has_empty_cart(shopper))

    paid = await shopper.pay(order["id"])
    assert paid.status_code == 201, paid.text

    async def confirmed() -> bool:
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(confirmed, what="the paid order is confirmed")
    mail = await mail_with(stack, shopper.email, f"Order Placed — {order['orderNumber']}")
    assert product["name"] in mail["html"]
    await mail_with(stack, shopper.email, "Payment Received ✅")
    await mail_with(stack, shopper.email, "Welcome! 🎉")
    stock = (await shopper.request("GET", f"/api/inventory/{variant_id}")).json()
    assert stock["available"] == 8
    await assert_invariants(stack)


async def test_the_log_of_notifications_tells_of_the_mail(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=1)
    order = (await shopper.place([line(product["variants"][0]["id"])])).json()
    await mail_with(stack, shopper.email, "Order Placed")

    async def logged() -> list[dict[str, Any]]:
        answer = await shopper.request("GET", f"/api/notifications?orderId={order['id']}")
        entries = answer.json()["items"]
        return [entry for entry in entries if entry["eventType"] == "ORDER_CREATED"]

    entry = (await eventually(logged))[0]

    assert (entry["status"], entry["recipient"]) == ("SENT", shopper.email)


async def test_a_cash_order_is_confirmed_at_once_and_delivered_by_the_admin(
    stack: NativeStack, shopper: Shopper, seller: Shopper, admin: Shopper
) -> None:
    product = await new_product(seller, quantity=3)
    order = (await shopper.place([line(product["variants"][0]["id"], 3)])).json()
    assert order["status"] == "CONFIRMED"

    for status in ("PROCESSING", "SHIPPED", "DELIVERED"):
        answer = await admin.request(
            "PATCH", f"/api/orders/{order['id']}/status", json={"status": status}
        )
        assert answer.status_code == 200, answer.text

    timeline = (await shopper.request("GET", f"/api/orders/{order['id']}/timeline")).json()
    assert [step["to"] for step in timeline["items"]] == [
        "PENDING",
        "CONFIRMED",
        "PROCESSING",
        "SHIPPED",
        "DELIVERED",
    ]
    await mail_with(stack, shopper.email, "Order Shipped 🚚")
    await mail_with(stack, shopper.email, "Delivered 📦")


async def test_a_refused_payment_is_told_and_can_be_tried_again(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=1)
    placed = await shopper.place([line(product["variants"][0]["id"])], paymentMethod="CARD")
    order_id = placed.json()["id"]

    await shopper.pay(order_id, "tok_declined")
    await mail_with(stack, shopper.email, "Payment Failed ❌")
    await shopper.pay(order_id, "tok_success")

    async def confirmed() -> bool:
        return bool((await shopper.order(order_id))["status"] == "CONFIRMED")

    await eventually(confirmed)


async def test_a_cancelled_order_gives_its_stock_back_once(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=5)
    variant_id = product["variants"][0]["id"]
    order = (await shopper.place([line(variant_id, 5)])).json()

    first, second = await at_once(
        shopper.request("POST", f"/api/orders/{order['id']}/cancel"),
        shopper.request("POST", f"/api/orders/{order['id']}/cancel"),
    )

    assert {first.status_code, second.status_code} == {200}
    await mail_with(stack, shopper.email, "Order Cancelled")
    await assert_invariants(stack)
    again = await shopper.place([line(variant_id, 5)])
    assert again.status_code == 201, again.text


async def test_fifty_parallel_requests_with_one_key_make_one_order(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=100)
    variant_id, key = product["variants"][0]["id"], uuid4().hex

    answers = await at_once(
        *(shopper.place_until_told([line(variant_id)], key=key) for _ in range(50))
    )

    codes = {answer.status_code for answer in answers}
    assert codes <= {201, 409}, codes
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    replay = await shopper.place([line(variant_id)], key=key)
    assert (replay.status_code, replay.headers["idempotent-replayed"]) == (201, "true")
    orders = (await shopper.request("GET", "/api/orders")).json()["items"]
    assert len(orders) == 1
    await assert_invariants(stack)
    assert len(await order_mails(stack, shopper.email)) == 1


async def order_mails(stack: NativeStack, recipient: str) -> list[dict[str, Any]]:
    mails = await mails_to(stack, recipient)
    return [mail for mail in mails if mail["subject"].startswith("Order Placed")]


async def test_a_thousand_buyers_of_a_hundred_units_get_exactly_a_hundred(
    stack: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    product = await new_product(seller, quantity=100, reorder_level=10)
    variant_id = product["variants"][0]["id"]
    accounts = [await (await somebody().register()).login() for _ in range(50)]
    buyers = [accounts[n % len(accounts)] for n in range(1000)]

    answers: list[httpx2.Response] = await at_once(
        *(buyer.place_until_told([line(variant_id)]) for buyer in buyers)
    )

    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(409)) == (100, 900), sorted(set(codes))
    stock = (await seller.request("GET", f"/api/inventory/{variant_id}")).json()
    assert stock["available"] == 0
    await assert_invariants(stack)
    mails = [mail for buyer in accounts for mail in await order_mails(stack, buyer.email)]
    assert len(mails) == 100
    alert = await mail_with(stack, "ops@ecommerce.com", "⚠️ Low Stock Alert")
    assert alert


async def test_one_coupon_for_fifty_buyers_is_used_once(
    stack: NativeStack, somebody: Callable[[], Shopper], seller: Shopper, admin: Shopper
) -> None:
    product = await new_product(seller, quantity=100)
    code = f"ONCE{uuid4().hex[:8].upper()}"
    coupon = await admin.request(
        "POST",
        "/api/coupons",
        json={
            "code": code,
            "type": "FIXED",
            "amount": {"amount": 1000, "currency": "INR"},
            "usageLimit": 1,
            "validFrom": "2020-01-01T00:00:00Z",
            "validUntil": "2099-01-01T00:00:00Z",
        },
    )
    assert coupon.status_code == 201, coupon.text
    buyers = [await (await somebody().register()).login() for _ in range(50)]

    answers = await at_once(
        *(
            buyer.place_until_told([line(product["variants"][0]["id"])], couponCode=code)
            for buyer in buyers
        )
    )

    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(409)) == (1, 49), [a.text for a in answers][:3]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"coupon_exhausted"}
    await assert_invariants(stack)
    stock = (await seller.request("GET", f"/api/inventory/{product['variants'][0]['id']}")).json()
    assert stock["available"] == 99


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"items": [line(str(uuid4()))]}, 422, "unknown_variant"),
        ({"unitPrice": 1}, 422, "validation_failed"),
        ({"total": {"amount": 1, "currency": "INR"}}, 422, "validation_failed"),
        ({"userId": str(uuid4())}, 422, "validation_failed"),
        ({"paymentMethod": "BARTER"}, 422, "validation_failed"),
        ({"expectedTotal": {"amount": 1, "currency": "INR"}}, 409, "price_changed"),
        ({"couponCode": "NO-SUCH-COUPON"}, 422, None),
        ({"addressId": str(uuid4()), "shippingAddress": None}, 404, None),
        ({"shippingAddress": ADDRESS | {"pincode": 5}}, 422, "validation_failed"),
        ({"shippingAddress": ADDRESS | {"phone": "call me"}}, 422, "validation_failed"),
        ({"shippingAddress": ADDRESS | {"pincode": "0"}}, 422, "validation_failed"),
        ({"shippingAddress": ADDRESS | {"city": "\u200b"}}, 422, "validation_failed"),
        ({"notes": "ring\u0001twice"}, 422, "validation_failed"),
    ],
)
async def test_a_bad_order_is_refused_and_holds_nothing(
    shopper: Shopper, seller: Shopper, change: dict[str, Any], status: int, code: str | None
) -> None:
    product = await new_product(seller, quantity=2)
    variant_id = product["variants"][0]["id"]
    body = {"items": [line(variant_id, 2)]} | change
    items = body.pop("items")
    if body.get("shippingAddress", ADDRESS) is None:
        del body["shippingAddress"]
        answer = await shopper.request(
            "POST",
            "/api/orders",
            headers={"Idempotency-Key": uuid4().hex},
            json={"items": items, "paymentMethod": "COD", **body},
        )
    else:
        answer = await shopper.place(items, **body)

    assert answer.status_code == status, answer.text
    assert code in {None, answer.json()["code"]}

    async def whole_again() -> bool:
        stock = await shopper.request("GET", f"/api/inventory/{variant_id}")
        return bool(stock.json()["available"] == 2)

    await eventually(whole_again, timeout_s=35)

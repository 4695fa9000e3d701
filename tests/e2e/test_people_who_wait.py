"""Whoever waits for something is told: sellers, buyers who wait for money, authors, owners."""

from typing import Any

from shop.stack.native import NativeStack
from tests.e2e.test_order_flow import mail_with
from tests.invariants import assert_invariants
from tests.mailbox import mails_to
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually


async def a_store(admin: Shopper, owner: Shopper, name: str) -> str:
    """Return the id of an open store of the owner, who may sell from then on."""
    applied = await owner.request("POST", "/api/sellers", json={"storeName": name})
    assert applied.status_code == 201, applied.text
    store_id: str = applied.json()["id"]
    path = f"/api/sellers/{store_id}/status"
    answer = await admin.request("PATCH", path, json={"status": "ACTIVE"})
    assert answer.status_code == 200, answer.text
    await owner.login(owner.email)
    return store_id


async def test_a_seller_learns_of_an_order_and_of_its_end_and_the_buyer_of_the_refund(
    stack: NativeStack, shopper: Shopper, seller: Shopper, admin: Shopper
) -> None:
    owner = await (await Shopper(shopper.http).register()).login()
    store_id = await a_store(admin, owner, "Kettles & Co")
    await mail_with(stack, owner.email, "Your store is open")
    own = await new_product(owner, quantity=3)
    foreign = await new_product(seller, quantity=3)
    wanted = [line(own["variants"][0]["id"]), line(foreign["variants"][0]["id"])]
    order = (await shopper.place(wanted, paymentMethod="UPI")).json()
    number = order["orderNumber"]
    assert not [m for m in await mails_to(stack, owner.email) if number in m["subject"]]

    paid = await shopper.pay(order["id"])

    assert paid.json()["status"] == "SUCCESS", paid.text
    mail = await mail_with(stack, owner.email, f"New order — {number}")
    assert own["variants"][0]["sku"] in mail["text"]
    assert foreign["variants"][0]["sku"] not in mail["text"]
    assert f"/orders/{order['id']}" in mail["text"]
    (listed,) = await orders_of(owner, store_id)
    assert listed["id"] == order["id"]
    assert [item["productId"] for item in listed["items"]] == [own["id"]]

    refunded = await admin.request(
        "POST",
        f"/api/payments/{paid.json()['id']}/refunds",
        headers={"Idempotency-Key": f"refund-{number}"},
        json={"reason": "the other store cannot send"},
    )

    assert refunded.status_code == 201, refunded.text
    await mail_with(stack, owner.email, f"Order cancelled, do not send — {number}")
    back = await mail_with(stack, shopper.email, "Refund of")
    assert "is now given back" in back["text"]
    assert (await shopper.order(order["id"]))["status"] == "CANCELLED"

    async def is_back() -> bool:
        stock = await shopper.request("GET", f"/api/inventory/{own['variants'][0]['id']}")
        return bool(stock.json()["available"] == 3)

    await eventually(is_back, what="the stock is back", timeout_s=20)
    await assert_invariants(stack)


async def orders_of(owner: Shopper, store_id: str) -> list[dict[str, Any]]:
    answer = await owner.request("GET", f"/api/sellers/{store_id}/orders?status=CONFIRMED")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_an_author_is_told_what_became_of_the_review(
    stack: NativeStack, shopper: Shopper, seller: Shopper, admin: Shopper
) -> None:
    product = await new_product(seller, quantity=3)
    await shopper.place([line(product["variants"][0]["id"])])
    reviews = f"/api/products/{product['id']}/reviews"

    async def written() -> str:
        answer = await shopper.request("POST", reviews, json={"rating": 4, "body": "Boils."})
        return str(answer.json()["id"]) if answer.status_code == 201 else ""

    review = await eventually(written, timeout_s=120, what="a buyer may review")
    for verdict, subject in (("APPROVED", "Your review is online"), ("REJECTED", "About your")):
        answer = await admin.request(
            "PATCH",
            f"/api/reviews/{review}/status",
            json={"status": verdict, "note": "Please leave the <delivery> out of it"},
        )
        assert answer.status_code == 200, answer.text
        mail = await mail_with(stack, shopper.email, subject)
        assert product["name"] in mail["text"]
    assert "&lt;delivery&gt;" in mail["html"]

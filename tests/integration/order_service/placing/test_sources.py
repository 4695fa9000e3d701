"""Where an order's address and lines come from: the address book and the cart."""

import asyncio
from uuid import uuid4

from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import ADDRESS, line
from tests.waiting import eventually


async def test_the_address_is_a_snapshot_of_the_address_book(shop: OpenShop) -> None:
    shopper, address_id = shop.somebody(), str(uuid4())
    book = shop.neighbours.addresses
    book[shopper.user_id, address_id] = dict(ADDRESS)
    items = [line(shop.sell())]

    order = (await shopper.place(items, addressId=address_id, shippingAddress=None)).json()
    book[shopper.user_id, address_id]["city"] = "Pune"

    assert (await shopper.order(order["id"]))["shippingAddress"]["city"] == "Bengaluru"


async def test_an_order_goes_abroad_and_empty_texts_are_left_out(shop: OpenShop) -> None:
    items, shopper = [line(shop.sell())], shop.somebody()
    there = {"country": "SG", "pincode": "238801", "state": "", "city": "", "label": " "}
    address = ADDRESS | there | {"phone": "+6561234567"}

    answer = await shopper.place(items, shippingAddress=address, notes="", couponCode="")

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert (order["notes"], order["couponCode"]) == (None, None)
    assert order["shippingAddress"]["pincode"] == "238801"
    assert not {"state", "city", "label"} & set(order["shippingAddress"])


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

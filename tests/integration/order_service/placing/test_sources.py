"""Where an order's address and lines come from: the address book and the cart."""

import asyncio
from uuid import uuid4

import httpx2

from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import ADDRESS, Shopper, line
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


async def quantities(shopper: Shopper) -> dict[str, int]:
    cart = (await shopper.request("GET", f"/api/cart/{shopper.user_id}")).json()
    return {item["variantId"]: item["quantity"] for item in cart["items"]}


async def place_and_settle(shopper: Shopper, key: str | None = None) -> httpx2.Response:
    """Order the cart, and wait until what runs after the answer has run.

    It has, once the next request of this connection is answered.
    """
    order = await (shopper.place() if key is None else shopper.place(key=key))
    assert order.status_code == 201, order.text
    await asyncio.gather(*(shopper.order(order.json()["id"]) for _ in range(3)))
    return order


async def test_what_was_added_to_the_cart_meanwhile_stays(shop: OpenShop) -> None:
    shopper, variant, other = shop.somebody(), shop.sell(), shop.sell()
    await shopper.add_to_cart(variant, 2)

    async def edit() -> None:
        await shopper.add_to_cart(variant, 3)
        await shopper.add_to_cart(other)

    shop.neighbours.on_reserved = edit
    order = await place_and_settle(shopper)

    assert [item["quantity"] for item in order.json()["items"]] == [2]
    assert await quantities(shopper) == {variant: 3, other: 1}


async def test_a_key_used_again_after_a_crash_clears_what_it_ordered_and_no_more(
    shop: OpenShop,
) -> None:
    """The process died before TX2; the customer added and changed goods, then asked again."""
    shopper, first, second = shop.somebody(), shop.sell(), shop.sell()
    raised, key = shop.sell(), uuid4().hex
    for variant in (first, raised):
        await shopper.add_to_cart(variant)

    async def die() -> None:
        raise RuntimeError("before TX2")

    shop.neighbours.on_reserved = die
    assert (await shopper.place(key=key)).status_code == 503
    shop.neighbours.on_reserved = None
    await shopper.add_to_cart(second)
    await shopper.add_to_cart(raised, 4)
    order = await place_and_settle(shopper, key)

    assert {item["variantId"] for item in order.json()["items"]} == {first, raised}
    assert await quantities(shopper) == {second: 1, raised: 4}


async def test_an_answer_sent_again_leaves_a_later_cart_alone(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    await shopper.add_to_cart(variant)
    order = await place_and_settle(shopper, key)
    assert await quantities(shopper) == {}

    await shopper.add_to_cart(variant)
    again = await place_and_settle(shopper, key)

    assert again.json()["id"] == order.json()["id"]
    assert await quantities(shopper) == {variant: 1}


async def test_an_empty_cart_cannot_be_ordered(shop: OpenShop) -> None:
    answer = await shop.somebody().place()

    assert (answer.status_code, code_of(answer)) == (422, "cart_empty")

"""One key, one order: at once, again, with another body, of another customer."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.problems import code_of
from tests.shopper import ADDRESS, at_once, line


async def test_fifty_parallel_requests_with_one_key_make_one_order(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex

    answers = await at_once(*(shopper.place([line(variant)], key=key) for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    placed = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.json()["id"] for answer in placed}) == 1
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert {code_of(answer) for answer in waiting} <= {"request_in_flight"}
    assert {answer.headers["retry-after"] for answer in waiting} <= {"1"}
    assert await shop.orders_of(shopper) == 1
    assert shop.neighbours.held(variant) == 1


async def test_fifty_parallel_requests_without_redis_make_one_order(open_shop: OpenIt) -> None:
    shop = await open_shop(redis_url="redis://127.0.0.1:1/0")
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex

    answers = await at_once(*(shopper.place([line(variant)], key=key) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await shop.orders_of(shopper) == 1
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


async def test_a_refusal_that_decided_nothing_says_that_the_key_is_open(shop: OpenShop) -> None:
    """Of two requests with one key one was refused as sold out, then stock came back."""
    shopper, variant, key = shop.somebody(), shop.sell(stock=0), uuid4().hex
    refused = await shopper.place([line(variant)], key=key)
    shop.neighbours.variants[variant].stock = 10
    placed = await shopper.place([line(variant)], key=key)

    assert (refused.status_code, refused.json()["keyIsOpen"]) == (409, True)
    assert placed.status_code == 201


async def test_a_refusal_that_is_the_keys_answer_says_so_each_time(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    wrong = {"expectedTotal": {"amount": 1, "currency": "INR"}}
    answers = [await shopper.place([line(variant)], key=key, **wrong) for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, code_of(answer)) == (409, "price_changed")
        assert answer.json()["keyIsOpen"] is False


async def test_a_refused_coupon_leaves_the_key_open(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    refused = await shopper.place([line(variant)], key=key, couponCode="NOSUCH")
    placed = await shopper.place([line(variant)], key=key)

    assert (code_of(refused), refused.json()["keyIsOpen"]) == ("coupon_invalid", True)
    assert placed.status_code == 201


async def test_an_address_that_is_not_there_leaves_the_key_open_and_says_nothing_more(
    shop: OpenShop,
) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    nowhere: dict[str, Any] = {"shippingAddress": None, "addressId": str(uuid4())}
    refused = await shopper.place([line(variant)], key=key, **nowhere)
    placed = await shopper.place([line(variant)], key=key)

    assert code_of(refused) == "address_not_found"
    assert "keyIsOpen" not in refused.json()
    assert placed.status_code == 201

"""What becomes an order, and what is no order at all."""

from typing import Any
from uuid import uuid4

import pytest

from common_lib.auth import Role
from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import ADDRESS, at_once, line


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
    assert await shop.orders_of(shopper) == 0
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

"""Idempotency keys: missing, contradicting, reused, another's."""

from uuid import uuid4

from tests.problems import assert_problem
from tests.shopper import ADDRESS, Shopper, line


async def test_an_order_without_a_key_is_asked_for_one(shopper: Shopper, variant_id: str) -> None:
    body = {"items": [line(variant_id)], "shippingAddress": ADDRESS, "paymentMethod": "COD"}

    answer = await shopper.request("POST", "/api/orders", json=body)

    assert_problem(answer, 400, "idempotency_key_required")


async def test_a_key_may_come_in_the_body_but_not_contradict_the_header(
    shopper: Shopper, variant_id: str
) -> None:
    key = uuid4().hex
    body = {"items": [line(variant_id)], "shippingAddress": ADDRESS, "paymentMethod": "COD"}
    first = await shopper.request("POST", "/api/orders", json=body | {"idempotencyKey": key})
    second = await shopper.request("POST", "/api/orders", json=body | {"idempotency_key": key})
    both = await shopper.request(
        "POST",
        "/api/orders",
        json=body | {"idempotencyKey": key},
        headers={"Idempotency-Key": "another"},
    )

    assert (first.status_code, second.status_code) == (201, 201), second.text
    assert first.json()["id"] == second.json()["id"]
    assert_problem(both, 400)


async def test_a_key_is_not_used_for_two_orders(shopper: Shopper, variant_id: str) -> None:
    key = uuid4().hex
    await shopper.place([line(variant_id)], key=key)

    answer = await shopper.place([line(variant_id, 2)], key=key)

    assert_problem(answer, 422, "idempotency_key_reused")


async def test_another_users_key_is_another_key(
    shopper: Shopper, other: Shopper, variant_id: str
) -> None:
    key = uuid4().hex

    first = await shopper.place([line(variant_id)], key=key)
    second = await other.place([line(variant_id)], key=key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]

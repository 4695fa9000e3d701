"""A coupon is used as often as it may be, and by whom it may be."""

from typing import Any
from uuid import uuid4

import pytest

from common_lib.auth import Role
from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import at_once, line


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

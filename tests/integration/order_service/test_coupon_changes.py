"""Coupons are looked at, changed and switched off, and orders keep what they were given."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from common_lib.auth import Role
from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import Shopper, at_once, line

TERMS: dict[str, Any] = {
    "type": "FIXED",
    "amount": {"amount": 10_000, "currency": "INR"},
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2030-01-01T00:00:00Z",
}


async def made(shop: OpenShop, **changes: Any) -> tuple[Shopper, dict[str, Any], str]:
    """Return an administrator, a coupon and its ETag."""
    admin = shop.somebody(Role.ADMIN)
    body = {"code": f"T-{uuid4().hex[:12]}".upper(), **TERMS, **changes}
    answer = await admin.request("POST", "/api/coupons", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/coupons/{answer.json()['id']}"
    return admin, answer.json(), answer.headers["etag"]


async def send(
    who: Shopper, method: str, coupon: dict[str, Any], body: Any = None, **headers: str
) -> httpx2.Response:
    path = f"/api/coupons/{coupon['id']}"
    arguments = {} if body is None else {"json": body}
    return await who.request(method, path, headers=headers, **arguments)


async def test_a_coupon_is_read_changed_and_listed_as_it_is_now(shop: OpenShop) -> None:
    admin, coupon, etag = await made(shop)

    changed = await send(
        admin,
        "PATCH",
        coupon,
        {"amount": {"amount": 20_000, "currency": "INR"}, "usageLimit": 5},
        **{"If-Match": etag},
    )
    read = await send(admin, "GET", coupon)
    listed = await admin.request("GET", "/api/coupons?limit=1")

    assert changed.status_code == 200, changed.text
    expected = coupon | {
        "amount": {"amount": 20_000, "currency": "INR"},
        "usageLimit": 5,
        "version": 2,
    }
    assert changed.json() == read.json() == expected
    assert listed.json()["items"] == [expected]
    assert read.headers["etag"] == changed.headers["etag"] == '"2"'


async def test_a_coupon_gets_new_terms_as_a_whole(shop: OpenShop) -> None:
    admin, coupon, etag = await made(shop, usageLimit=5, description="Summer")
    body = {"code": coupon["code"], "type": "PERCENTAGE", "percentBasisPoints": 1_000}

    answer = await send(
        admin,
        "PUT",
        coupon,
        body | {name: TERMS[name] for name in ("validFrom", "validUntil")},
        **{"If-Match": etag},
    )

    assert answer.status_code == 200, answer.text
    now = answer.json()
    assert (now["type"], now["percentBasisPoints"], now["amount"]) == ("PERCENTAGE", 1_000, None)
    assert (now["usageLimit"], now["description"]) == (None, None)


async def test_null_takes_a_bound_away_and_what_is_absent_stays(shop: OpenShop) -> None:
    minimum = {"amount": 50_000, "currency": "INR"}
    admin, coupon, _ = await made(shop, usageLimit=5, minOrder=minimum)

    answer = await send(admin, "PATCH", coupon, {"usageLimit": None})

    assert (answer.json()["usageLimit"], answer.json()["minOrder"]) == (None, minimum)


async def test_what_was_changed_meanwhile_is_not_overwritten(shop: OpenShop) -> None:
    admin, coupon, etag = await made(shop)
    ours = {"If-Match": etag}

    answers = await at_once(
        *(send(admin, "PATCH", coupon, {"perUserLimit": n}, **ours) for n in (2, 3, 4))
    )
    stale = await send(admin, "DELETE", coupon, **ours)
    weak = await send(admin, "PATCH", coupon, {"perUserLimit": 9}, **{"If-Match": 'W/"2"'})
    junk = await send(admin, "PATCH", coupon, {"perUserLimit": 9}, **{"If-Match": "2"})
    any_version = await send(admin, "PATCH", coupon, {"perUserLimit": 9}, **{"If-Match": "*"})

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    for refused in (stale, weak, junk):
        assert (refused.status_code, code_of(refused)) == (412, "precondition_failed")
    assert any_version.status_code == 200


async def test_a_coupon_that_is_switched_off_is_used_by_nobody_and_kept(shop: OpenShop) -> None:
    admin, coupon, _ = await made(shop)
    shopper, variant = shop.somebody(), shop.sell(price=60_000)

    deleted = [await send(admin, "DELETE", coupon) for _ in range(2)]
    refused = await shopper.place([line(variant)], couponCode=coupon["code"])
    again = await admin.request("POST", "/api/coupons", json={**TERMS, "code": coupon["code"]})
    on_again = await send(admin, "PATCH", coupon, {"isActive": True})
    placed = await shopper.place([line(variant)], couponCode=coupon["code"])

    assert [answer.status_code for answer in deleted] == [204, 204]
    assert (refused.status_code, code_of(refused)) == (422, "coupon_invalid")
    assert (again.status_code, code_of(again)) == (409, "coupon_code_taken")
    assert (on_again.json()["isActive"], on_again.json()["version"]) == (True, 3)
    assert placed.json()["discount"]["amount"] == 10_000


async def test_orders_keep_the_discount_they_were_given(shop: OpenShop) -> None:
    admin, coupon, _ = await made(shop)
    shopper = shop.somebody()
    placed = await shopper.place([line(shop.sell(price=60_000))], couponCode=coupon["code"])
    order = placed.json()

    changed = await send(
        admin,
        "PATCH",
        coupon,
        {"amount": {"amount": 1, "currency": "INR"}, "code": "OTHER-" + uuid4().hex[:8]},
    )
    await send(admin, "DELETE", coupon)
    kept = await shopper.order(order["id"])
    cancelled = await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    assert changed.status_code == 200, changed.text
    for name in ("discount", "total", "couponCode"):
        assert kept[name] == order[name]
    assert cancelled.status_code == 200
    assert (await send(admin, "GET", coupon)).json()["usedCount"] == 0


async def test_a_limit_is_not_set_below_how_often_it_was_used(shop: OpenShop) -> None:
    admin, coupon, _ = await made(shop)
    for _ in range(2):
        variant = shop.sell(price=60_000)
        placed = await shop.somebody().place([line(variant)], couponCode=coupon["code"])
        assert placed.status_code == 201

    refused = await send(admin, "PATCH", coupon, {"usageLimit": 1})
    taken = await send(admin, "PATCH", coupon, {"usageLimit": 2})

    assert (refused.status_code, code_of(refused)) == (409, "coupon_limit_below_uses")
    assert refused.json()["usedCount"] == 2
    assert taken.status_code == 200


async def test_a_code_is_not_taken_from_another_coupon(shop: OpenShop) -> None:
    admin, coupon, _ = await made(shop)
    _, other, _ = await made(shop)

    answer = await send(admin, "PATCH", coupon, {"code": other["code"].lower()})

    assert (answer.status_code, code_of(answer)) == (409, "coupon_code_taken")


@pytest.mark.parametrize(
    "body",
    [
        {"percentBasisPoints": 100},
        {"type": "PERCENTAGE"},
        {"amount": None},
        {"amount": {"amount": 0, "currency": "INR"}},
        {"amount": {"amount": 1, "currency": "USD"}},
        {"validUntil": "2025-01-01T00:00:00Z"},
        {"validUntil": "9999-12-31T23:59:59Z"},
        {"perUserLimit": None},
        {"perUserLimit": "5"},
        {"perUserLimit": True},
        {"code": None},
        {"usedCount": 0},
        {"version": 9},
        {"isActive": None},
        [],
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    shop: OpenShop, body: Any
) -> None:
    admin, coupon, _ = await made(shop)

    answer = await send(admin, "PATCH", coupon, body)

    assert answer.status_code == 422, answer.text
    assert (await send(admin, "GET", coupon)).json() == coupon


# Not made up at each start: the processes that share the tests must name them alike.
@pytest.mark.parametrize(
    "coupon_id", ["00000000-0000-7000-8000-000000000000", "x", "SAVE10", "%00"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_unknown_coupon_is_not_found(shop: OpenShop, method: str, coupon_id: str) -> None:
    admin = shop.somebody(Role.ADMIN)
    body = {"PUT": {"code": "SAVE10", **TERMS}, "PATCH": {"perUserLimit": 2}}.get(method)

    answer = await send(admin, method, {"id": coupon_id}, body)

    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_coupons_are_the_administrators_alone(
    shop: OpenShop, role: Role, method: str
) -> None:
    _, coupon, _ = await made(shop)
    body = {"PUT": {"code": "SAVE10", **TERMS}, "PATCH": {"perUserLimit": 2}}.get(method)

    answer = await send(shop.somebody(role), method, coupon, body)

    assert (answer.status_code, code_of(answer)) == (403, "role_not_allowed")

"""A guest's cart becomes a customer's: once, whole, and only for who holds the guest's token."""

from typing import Any
from uuid import UUID

import httpx2
import jwt
import pytest

from common_lib.auth import Role, Sessions
from common_lib.ids import new_id
from tests.integration.order_service.conftest import OpenShop
from tests.shopper import Shopper, at_once


async def merge(shopper: Shopper, guest: Shopper, **changes: Any) -> httpx2.Response:
    body = {"guestToken": guest.token} | changes
    return await shopper.request("POST", f"/api/cart/{shopper.user_id}/merge", json=body)


async def cart_of(shopper: Shopper) -> dict[str, Any]:
    answer = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    assert answer.status_code == 200, answer.text
    cart: dict[str, Any] = answer.json()
    return cart


def quantities(cart: dict[str, Any]) -> dict[str, int]:
    return {item["variantId"]: item["quantity"] for item in cart["items"]}


async def test_the_quantities_of_both_carts_add_up_at_todays_prices(shop: OpenShop) -> None:
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    both, theirs = shop.sell(price=100), shop.sell(price=7)
    await shopper.add_to_cart(both, 2)
    await guest.add_to_cart(both, 3)
    await guest.add_to_cart(theirs, 1)

    answer = await merge(shopper, guest)

    cart = answer.json()
    assert answer.status_code == 200, answer.text
    assert quantities(cart) == {both: 5, theirs: 1}
    assert (cart["subtotal"]["amount"], cart["leftOut"]) == (507, [])
    assert quantities(await cart_of(shopper)) == {both: 5, theirs: 1}
    assert quantities(await cart_of(guest)) == {}


async def test_merging_twice_changes_nothing(shop: OpenShop) -> None:
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    variant = shop.sell()
    await guest.add_to_cart(variant, 3)

    first, second = await merge(shopper, guest), await merge(shopper, guest)

    assert quantities(first.json()) == quantities(second.json()) == {variant: 3}
    assert first.json()["version"] == second.json()["version"]


async def test_merges_that_come_at_once_take_the_cart_over_once(shop: OpenShop) -> None:
    guest, variant = shop.somebody(Role.GUEST), shop.sell()
    await guest.add_to_cart(variant, 3)
    claimants = [shop.somebody() for _ in range(5)]

    answers = await at_once(*(merge(one, guest) for one in claimants for _ in range(2)))

    assert {answer.status_code for answer in answers} == {200}
    held = [quantities(await cart_of(one)) for one in claimants]
    assert sorted(held, key=len) == [{}, {}, {}, {}, {variant: 3}]


async def test_quantities_add_up_to_what_an_order_may_hold(shop: OpenShop) -> None:
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    variant = shop.sell()
    await shopper.add_to_cart(variant, 600)
    await guest.add_to_cart(variant, 600)

    assert quantities((await merge(shopper, guest)).json()) == {variant: 1000}


async def test_what_finds_no_line_is_named(shop: OpenShop) -> None:
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    mine = [shop.sell() for _ in range(99)]
    shared, *theirs = mine[0], shop.sell(), shop.sell()
    for variant in mine:
        await shopper.add_to_cart(variant)
    for variant in (shared, *theirs):
        await guest.add_to_cart(variant)

    cart = (await merge(shopper, guest)).json()

    assert len(cart["items"]) == 100
    assert quantities(cart)[shared] == 2
    assert len(cart["leftOut"]) == 1
    assert set(cart["leftOut"]) < set(theirs)


async def test_what_is_sold_no_longer_is_kept_apart(shop: OpenShop) -> None:
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    variant = shop.sell()
    await guest.add_to_cart(variant)
    shop.neighbours.variants[variant].is_active = False
    await shop.cases.carts.forget_quotes([UUID(variant)])

    cart = (await merge(shopper, guest)).json()

    assert (cart["items"], cart["unavailable"]) == ([], [variant])


async def test_an_empty_cart_takes_nothing_away(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shopper.add_to_cart(variant, 2)

    answer = await merge(shopper, shop.somebody(Role.GUEST))

    assert quantities(answer.json()) == {variant: 2}


async def test_a_guest_who_merges_with_themselves_loses_nothing(shop: OpenShop) -> None:
    guest, variant = shop.somebody(Role.GUEST), shop.sell()
    await guest.add_to_cart(variant, 2)

    await merge(guest, guest)

    assert quantities(await cart_of(guest)) == {variant: 2}


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER, Role.ADMIN])
async def test_no_account_is_taken_for_a_guest(shop: OpenShop, role: Role) -> None:
    shopper, other = shop.somebody(), shop.somebody(role)
    variant = shop.sell()
    await other.add_to_cart(variant)

    answer = await merge(shopper, other)

    assert (answer.status_code, answer.json()["code"]) == (422, "guest_token_invalid")
    assert quantities(await cart_of(other)) == {variant: 1}


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 4096])
async def test_what_is_no_token_is_refused(shop: OpenShop, token: str) -> None:
    answer = await merge(shop.somebody(), shop.somebody(Role.GUEST), guestToken=token)

    assert (answer.status_code, answer.json()["code"]) == (422, "guest_token_invalid")
    assert token not in answer.text


async def test_a_session_that_has_ended_gives_no_cart_away(shop: OpenShop) -> None:
    guest = shop.somebody(Role.GUEST)
    claims = jwt.decode(guest.token, options={"verify_signature": False})
    await Sessions(shop.cases.redis).revoke(claims["jti"])

    answer = await merge(shop.somebody(), guest)

    assert (answer.status_code, answer.json()["code"]) == (422, "guest_token_invalid")


@pytest.mark.parametrize(
    "body",
    [{}, {"guestToken": ""}, {"guestToken": 5}, {"guestToken": "x" * 4097}, {"guestId": "x"}],
)
async def test_a_body_without_a_token_is_refused(shop: OpenShop, body: dict[str, Any]) -> None:
    shopper = shop.somebody()

    answer = await shopper.request("POST", f"/api/cart/{shopper.user_id}/merge", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_nobody_merges_into_anothers_cart(shop: OpenShop) -> None:
    victim, thief, guest = shop.somebody(), shop.somebody(), shop.somebody(Role.GUEST)
    path = f"/api/cart/{victim.user_id}/merge"

    theirs = await thief.request("POST", path, json={"guestToken": guest.token})
    unknown = await shop.http.post(path, json={"guestToken": guest.token})

    assert (theirs.status_code, unknown.status_code) == (404, 401)


async def test_the_user_service_alone_moves_a_cart_by_its_id(shop: OpenShop) -> None:
    shopper, guest, variant = shop.somebody(), shop.somebody(Role.GUEST), shop.sell()
    await guest.add_to_cart(variant, 2)
    path, body = f"/internal/carts/{shopper.user_id}/merge", {"guestId": guest.user_id}

    refused = [
        await shop.http.post(path, json=body, headers=headers)
        for headers in ({}, shop.service_headers("catalog-service"))
    ]
    person = await shopper.request("POST", path, json=body)
    moved = [
        await shop.http.post(path, json=body, headers=shop.service_headers("user-service"))
        for _ in range(2)
    ]

    assert [answer.status_code for answer in (*refused, person)] == [401, 403, 401]
    assert [answer.status_code for answer in moved] == [204, 204]
    assert quantities(await cart_of(shopper)) == {variant: 2}


async def test_a_cart_is_moved_while_the_catalog_is_away(shop: OpenShop) -> None:
    guest, user_id, variant = shop.somebody(Role.GUEST), new_id(), shop.sell()
    await guest.add_to_cart(variant)
    asked = shop.neighbours.quotes

    await shop.http.post(
        f"/internal/carts/{user_id}/merge",
        json={"guestId": guest.user_id},
        headers=shop.service_headers("user-service"),
    )

    assert shop.neighbours.quotes == asked
    assert (await shop.cases.carts.content(user_id))[0].quantity == 1

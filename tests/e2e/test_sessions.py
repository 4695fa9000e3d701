"""Sessions through the gateway: ended everywhere within a second, and a guest's cart kept."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pyotp

from tests.shopper import Shopper, new_product
from tests.waiting import eventually

REVOKED_WITHIN_S = 1.0


async def is_refused_everywhere(person: Shopper) -> bool:
    """Tell whether the user, order and catalog services all refuse the token as revoked."""
    answers = [
        await person.request("GET", path)
        for path in (
            f"/api/users/{person.user_id}",
            f"/api/cart/{person.user_id}",
            f"/api/wishlists/{person.user_id}",
        )
    ]
    return [(a.status_code, a.json().get("code")) for a in answers] == [(401, "revoked")] * 3


async def sessions_of(person: Shopper) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.request("GET", "/api/auth/sessions")).json()[
        "items"
    ]
    return items


async def second_device(http: httpx2.AsyncClient, person: Shopper) -> Shopper:
    return await Shopper(http).login(person.email)


async def guest_of(http: httpx2.AsyncClient) -> Shopper:
    tokens = (await http.post("/api/auth/guest", json={})).json()
    return Shopper(
        http,
        user_id=tokens["user"]["id"],
        token=tokens["accessToken"],
        refresh_token=tokens["refreshToken"],
    )


async def test_a_session_ended_from_another_device_is_over_within_a_second(
    http: httpx2.AsyncClient, shopper: Shopper
) -> None:
    phone = await second_device(http, shopper)
    assert not await is_refused_everywhere(phone)
    (there,) = [item["id"] for item in await sessions_of(shopper) if not item["isCurrent"]]

    answer = await shopper.request("DELETE", f"/api/auth/sessions/{there}")

    assert answer.status_code == 204
    await eventually(partial(is_refused_everywhere, phone), timeout_s=REVOKED_WITHIN_S)
    assert [item["isCurrent"] for item in await sessions_of(shopper)] == [True]


async def test_logging_out_everywhere_is_heard_everywhere_within_a_second(
    http: httpx2.AsyncClient, shopper: Shopper
) -> None:
    devices = [shopper, await second_device(http, shopper)]

    answer = await shopper.request("POST", "/api/auth/logout-all")

    assert answer.status_code == 204
    for device in devices:
        await eventually(partial(is_refused_everywhere, device), timeout_s=REVOKED_WITHIN_S)


async def test_the_token_of_a_login_half_done_opens_no_service(
    http: httpx2.AsyncClient, shopper: Shopper
) -> None:
    enrolled = await shopper.request(
        "POST", "/api/auth/mfa/enrol", json={"password": "password123"}
    )
    totp = pyotp.TOTP(enrolled.json()["secret"])
    confirmed = await shopper.request("POST", "/api/auth/mfa/confirm", json={"code": totp.now()})
    body = {"email": shopper.email, "password": "password123"}
    pending = (await http.post("/api/auth/login", json=body)).json()
    half = Shopper(http, user_id=shopper.user_id, token=pending["mfaToken"])

    answers = [
        await half.request("GET", path)
        for path in (
            f"/api/users/{shopper.user_id}",
            f"/api/cart/{shopper.user_id}",
            f"/api/wishlists/{shopper.user_id}",
            "/api/orders",
            "/api/notifications",
        )
    ]
    proof = {
        "mfaToken": pending["mfaToken"],
        "recoveryCode": confirmed.json()["recoveryCodes"][0],
    }
    finished = await http.post("/api/auth/mfa/challenge", json=proof)

    assert {(a.status_code, a.json()["code"]) for a in answers} == {(401, "wrong_token_type")}
    assert finished.status_code == 200


async def test_a_guest_who_registers_and_logs_in_finds_the_cart_again(
    http: httpx2.AsyncClient, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    product = await new_product(seller, quantity=9)
    variant = product["variants"][0]["id"]
    guest = await guest_of(http)
    await guest.add_to_cart(variant, 2)
    person = await somebody().register()

    body = {"email": person.email, "password": "password123"}
    answer = await guest.request("POST", "/api/auth/login", json=body)

    person.token = answer.json()["accessToken"]
    assert answer.json()["guestCart"] == {"status": "MERGED", "mergeUrl": None}
    cart = (await person.request("GET", f"/api/cart/{person.user_id}")).json()
    assert [(item["variantId"], item["quantity"]) for item in cart["items"]] == [(variant, 2)]
    await eventually(partial(is_refused_everywhere, guest), timeout_s=REVOKED_WITHIN_S)


async def test_a_cart_left_behind_is_merged_later(
    http: httpx2.AsyncClient, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=9)
    variant = product["variants"][0]["id"]
    guest = await guest_of(http)
    await guest.add_to_cart(variant, 1)

    answer = await shopper.request(
        "POST", f"/api/cart/{shopper.user_id}/merge", json={"guestToken": guest.token}
    )

    assert answer.status_code == 200, answer.text
    assert [item["variantId"] for item in answer.json()["items"]] == [variant]


async def test_the_internal_merge_is_not_reached_through_the_gateway(
    http: httpx2.AsyncClient, shopper: Shopper
) -> None:
    guest = await guest_of(http)
    path = f"/internal/carts/{shopper.user_id}/merge"

    answer = await shopper.request("POST", path, json={"guestId": guest.user_id})

    assert answer.status_code == 404

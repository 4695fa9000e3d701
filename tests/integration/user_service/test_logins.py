"""Logging in: who guesses is slowed down, whose guest's cart there is takes it along."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pyotp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.entering import login
from tests.serving import free_port, served
from tests.shopper import Shopper, at_once
from tests.waiting import eventually


@dataclass
class OrderService:
    """The order service's one call that a login makes: carts by owner, moved once."""

    url: str = ""
    is_down: bool = False
    carts: dict[str, int] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        path = "/internal/carts/{user_id}/merge"
        return Starlette(routes=[Route(path, self._merge, methods=["POST"])])

    async def _merge(self, request: Request) -> Response:
        self.tokens.append(request.headers.get("authorization", ""))
        if self.is_down:
            return Response(status_code=503)
        user_id, guest_id = request.path_params["user_id"], (await request.json())["guestId"]
        moved = self.carts.pop(guest_id, 0)
        self.carts[user_id] = self.carts.get(user_id, 0) + moved
        return Response(status_code=204)


@pytest.fixture
async def orders() -> AsyncIterator[OrderService]:
    service = OrderService()
    async with served(service.app(), free_port()) as service.url:
        yield service


@pytest.fixture
async def shop(open_app: Open, orders: OrderService) -> Served:
    """The user service with an order service beside it."""
    return await open_app(order_url=orders.url)


async def visit(app: Served) -> dict[str, Any]:
    guest: dict[str, Any] = (await app.client.post("/api/auth/guest", json={})).json()
    return guest


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def sessions_of(person: Shopper) -> list[dict[str, Any]]:
    answer = await person.request("GET", "/api/auth/sessions")
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def is_over(app: Served, token: str) -> bool:
    answer = await app.client.get("/api/auth/sessions", headers=bearer(token))
    return answer.status_code == 401


async def test_a_wrong_password_and_an_unknown_account_answer_alike(app: Served) -> None:
    person = await app.somebody().register()

    wrong = await login(app.client, person.email, "password124")
    unknown = await login(app.client, f"{uuid4().hex}@example.com", "password123")
    malformed = await login(app.client, "' OR 1=1 --", "password123")

    assert [a.status_code for a in (wrong, unknown, malformed)] == [401] * 3
    assert wrong.json()["code"] == "invalid_credentials"
    bodies = [a.json() | {"requestId": ""} for a in (wrong, unknown, malformed)]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_the_sixth_failure_waits_while_another_address_goes_on(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.somebody().register()

    failures = [await login(app.client, person.email, f"wrong-{n}") for n in range(6)]
    locked = await login(app.client, person.email, "password123")
    elsewhere = await login(app.client_from("192.0.2.9"), person.email, "password123")
    other = await app.somebody().register()
    another_account = await login(app.client, other.email, "password123")

    assert [a.status_code for a in failures] == [401] * 5 + [429]
    assert failures[-1].json()["code"] == "too_many_attempts"
    assert 0 < int(failures[-1].headers["retry-after"]) <= 900
    assert [a.status_code for a in (locked, elsewhere, another_account)] == [429, 200, 200]


async def test_failures_that_come_at_once_are_counted_exactly(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    email = f"{uuid4().hex}@example.com"

    answers = await at_once(*(login(app.client, email, f"wrong-{n}") for n in range(20)))

    assert sorted(a.status_code for a in answers) == [401] * 5 + [429] * 15


async def test_a_success_forgives_earlier_failures(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.somebody().register()

    for _ in range(2):
        statuses = [
            (await login(app.client, person.email, password)).status_code
            for password in ["wrong-pass"] * 4 + ["password123"]
        ]
        assert statuses == [401] * 4 + [200]


async def test_only_a_trusted_proxy_may_name_the_callers_address(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=1)
    person = await app.somebody().register()
    gateway, stranger = app.client_from("127.0.0.1"), app.client_from("192.0.2.50")

    def named(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    async def attempt(client: httpx2.AsyncClient, forwarded: str) -> int:
        body = {"email": person.email, "password": "wrong-pass"}
        answer = await client.post("/api/auth/login", json=body, headers=named(forwarded))
        return answer.status_code

    by_gateway = [
        await attempt(gateway, "1.1.1.1"),
        await attempt(gateway, "6.6.6.6, 1.1.1.1"),
        await attempt(gateway, "2.2.2.2"),
    ]
    by_stranger = [await attempt(stranger, "3.3.3.3"), await attempt(stranger, "4.4.4.4")]

    assert by_gateway == [401, 429, 401]
    assert by_stranger == [401, 429]


async def test_many_addresses_together_do_not_guess_on_and_the_owner_gets_in(
    open_app: Open,
) -> None:
    app = await open_app(login_limit_per_15min=1)
    person = await app.somebody().register()
    home, guess = "192.0.2.1", "wrong-pass"
    assert (await login(app.client_from(home), person.email, "password123")).status_code == 200

    guesses = [
        (await login(app.client_from(f"198.51.100.{n}"), person.email, guess)).status_code
        for n in range(22)
    ]
    owner = await login(app.client_from(home), person.email, "password123")
    right_elsewhere = await login(app.client_from("203.0.113.99"), person.email, "password123")

    # The owner's own first login was one of the twenty that strangers have.
    assert guesses == [401] * 19 + [429] * 3
    assert (owner.status_code, right_elsewhere.status_code) == (200, 429)


async def test_an_account_that_does_not_exist_is_closed_to_strangers_alike(
    open_app: Open,
) -> None:
    app = await open_app(login_limit_per_15min=1)
    email = f"{uuid4().hex}@example.com"

    guesses = [await login(app.client_from(f"198.51.100.{n}"), email, "x") for n in range(21)]

    assert [answer.status_code for answer in guesses] == [401] * 20 + [429]
    assert guesses[-1].json()["code"] == "too_many_attempts"


async def test_a_password_that_changes_while_it_is_checked_leaves_no_session_behind(
    app: Served,
) -> None:
    person = await app.customer()
    change = person.request(
        "PUT",
        f"/api/users/{person.user_id}/password",
        json={"currentPassword": "password123", "newPassword": "another-pass-9"},
    )

    *logins, changed = await at_once(
        *(login(app.client, person.email, "password123") for _ in range(6)), change
    )

    assert changed.status_code == 204, changed.text
    for answer in logins:
        if answer.status_code == 200:
            await eventually(partial(is_over, app, answer.json()["accessToken"]), timeout_s=1)
    assert [s["isCurrent"] for s in await sessions_of(person)] == [True]


@pytest.mark.parametrize("way", ["header", "body"])
async def test_a_guests_cart_comes_along_and_the_guests_session_ends(
    shop: Served, orders: OrderService, way: str
) -> None:
    guest, person = await visit(shop), await shop.somebody().register()
    orders.carts[guest["user"]["id"]] = 3
    token = guest["accessToken"]

    if way == "header":
        answer = await login(shop.client, person.email, "password123", bearer(token))
    else:
        answer = await login(shop.client, person.email, "password123", guestToken=token)

    assert answer.status_code == 200, answer.text
    assert answer.json()["guestCart"] == {"status": "MERGED", "mergeUrl": None}
    assert orders.carts == {person.user_id: 3}
    await eventually(lambda: is_over(shop, token), timeout_s=1)
    renewed = await shop.client.post(
        "/api/auth/refresh", json={"refreshToken": guest["refreshToken"]}
    )
    assert renewed.status_code == 401


async def test_the_cart_is_asked_for_by_the_services_own_token(
    shop: Served, orders: OrderService
) -> None:
    guest, person = await visit(shop), await shop.somebody().register()

    await login(shop.client, person.email, "password123", guestToken=guest["accessToken"])

    (sent,) = orders.tokens
    claims = jwt.decode(sent.removeprefix("Bearer "), options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == ("user-service", "order-service")


async def test_a_login_succeeds_without_the_order_service_and_says_how_to_merge_later(
    shop: Served, orders: OrderService
) -> None:
    guest, person = await visit(shop), await shop.somebody().register()
    orders.is_down = True

    answer = await login(shop.client, person.email, "password123", bearer(guest["accessToken"]))

    assert answer.status_code == 200
    assert answer.json()["guestCart"] == {
        "status": "PENDING",
        "mergeUrl": f"/api/cart/{person.user_id}/merge",
    }
    assert not await is_over(shop, guest["accessToken"])


async def test_a_guest_who_logs_in_twice_at_once_has_one_cart(
    shop: Served, orders: OrderService
) -> None:
    guest, person = await visit(shop), await shop.somebody().register()
    orders.carts[guest["user"]["id"]] = 3
    token = guest["accessToken"]

    answers = await at_once(
        *(login(shop.client, person.email, "password123", guestToken=token) for _ in range(3))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert orders.carts == {person.user_id: 3}


async def test_a_wrong_password_leaves_the_guest_alone(shop: Served, orders: OrderService) -> None:
    guest, person = await visit(shop), await shop.somebody().register()

    answer = await login(shop.client, person.email, "password124", bearer(guest["accessToken"]))

    assert (answer.status_code, orders.tokens) == (401, [])
    assert not await is_over(shop, guest["accessToken"])


async def test_nobody_elses_token_is_taken_for_a_guests(shop: Served, orders: OrderService) -> None:
    other, person = await shop.customer(), await shop.somebody().register()
    ended = await visit(shop)
    await shop.client.post("/api/auth/logout", headers=bearer(ended["accessToken"]))
    tokens = [other.token, other.refresh_token, "nonsense", ended["refreshToken"]]

    explicit = [
        (await login(shop.client, person.email, "password123", guestToken=token)).json()
        for token in tokens
    ]
    in_header = await login(shop.client, person.email, "password123", bearer(other.token))

    assert [body["guestCart"]["status"] for body in explicit] == ["REFUSED"] * 4
    assert "guestCart" not in in_header.json()
    assert orders.tokens == []
    assert not await is_over(shop, other.token)


async def test_a_guest_whose_session_ended_brings_nothing_along(
    shop: Served, orders: OrderService
) -> None:
    guest, person = await visit(shop), await shop.somebody().register()
    token = guest["accessToken"]
    await shop.client.post("/api/auth/logout", headers=bearer(token))
    await eventually(lambda: is_over(shop, token), timeout_s=1)

    answer = await login(shop.client, person.email, "password123", guestToken=token)

    assert answer.json()["guestCart"]["status"] == "REFUSED"
    assert orders.tokens == []


async def test_with_a_second_factor_the_cart_comes_along_at_the_end(
    shop: Served, orders: OrderService
) -> None:
    guest, person = await visit(shop), await shop.customer()
    codes = await protect(person)
    orders.carts[guest["user"]["id"]] = 2
    token = guest["accessToken"]

    pending = await login(shop.client, person.email, "password123", guestToken=token)
    before = dict(orders.carts)
    proof = {"mfaToken": pending.json()["mfaToken"], "recoveryCode": codes[0]}
    finished = await shop.client.post("/api/auth/mfa/challenge", json=proof | {"guestToken": token})

    assert before == {guest["user"]["id"]: 2}
    assert finished.json()["guestCart"]["status"] == "MERGED"
    assert orders.carts == {person.user_id: 2}


async def protect(person: Shopper) -> list[str]:
    """Set a second factor up; return the recovery codes."""
    enrolled = await person.request("POST", "/api/auth/mfa/enrol", json={"password": "password123"})
    code = pyotp.TOTP(enrolled.json()["secret"]).now()
    confirmed = await person.request("POST", "/api/auth/mfa/confirm", json={"code": code})
    codes: list[str] = confirmed.json()["recoveryCodes"]
    return codes

"""An order's page: how it stands, what became of it, what can be done now."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.e2e.browser.visitor import Visitor, Visitors
from tests.shopper import Shopper, line, new_product

NEVER = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def product(seller: Shopper) -> dict[str, Any]:
    return await new_product(seller, quantity=50)


@pytest.fixture
def buys(shopper: Shopper, product: dict[str, Any]) -> Callable[..., Any]:
    """Return a way to place an order of the product; its id comes back."""

    async def place(method: str) -> str:
        answer = await shopper.place([line(product["variants"][0]["id"], 2)], paymentMethod=method)
        assert answer.status_code == 201, answer.text
        order_id: str = answer.json()["id"]
        return order_id

    return place


async def seen_by(visitors: Visitors, shopper: Shopper, order_id: str, **traits: Any) -> Visitor:
    buyer = await visitors.one(**traits)
    await buyer.open(f"/orders/{order_id}")
    await buyer.sees("Log in to see your order")
    await buyer.logs_in(shopper.email)
    await buyer.reads("Placed on")
    return buyer


async def test_an_order_is_paid_on_its_page_after_a_payment_that_was_declined(
    visitors: Visitors, shopper: Shopper, product: dict[str, Any], buys: Callable[..., Any]
) -> None:
    order_id = await buys("UPI")
    buyer = await seen_by(visitors, shopper, order_id, width=390)
    await buyer.sees("One step left: the payment")
    await buyer.reads(product["name"])
    await buyer.reads("₹998.00")
    await buyer.reads("Order placed")

    await buyer.page.get_by_label("The bank declines it").check()
    await buyer.presses("Pay now")
    await buyer.sees("The payment did not go through")
    await buyer.reads("Your bank did not accept the payment.")
    await buyer.presses("Pay now")
    await buyer.sees("We are getting your order ready")
    await buyer.reads("Order confirmed")
    await buyer.sees_no("button", "Pay now")
    assert (await shopper.order(order_id))["status"] == "CONFIRMED"
    captured = (await shopper.request("GET", f"/api/orders/{order_id}/payments")).json()["items"]
    assert [payment["captured"]["amount"] for payment in captured].count(0) == len(captured) - 1


async def test_a_page_follows_a_payment_that_takes_its_time(
    visitors: Visitors, shopper: Shopper, buys: Callable[..., Any]
) -> None:
    buyer = await seen_by(visitors, shopper, await buys("CARD"))

    await buyer.page.get_by_label("It succeeds, but takes a moment").check()
    await buyer.presses("Pay now")
    await buyer.sees("We are getting your order ready")
    await expect(buyer.page.locator("#news")).to_contain_text("We are getting your order ready")


async def test_an_order_is_cancelled_on_its_page_after_a_second_thought(
    visitors: Visitors, shopper: Shopper, buys: Callable[..., Any]
) -> None:
    order_id = await buys("COD")
    buyer = await seen_by(visitors, shopper, order_id)
    await buyer.sees("We are getting your order ready")

    await buyer.presses("Cancel this order")
    await buyer.presses("Keep it")
    assert (await shopper.order(order_id))["status"] == "CONFIRMED"
    await buyer.presses("Cancel this order")
    await buyer.presses("Cancel the order")
    await buyer.sees("This order was cancelled")
    await buyer.sees_no("button", "Cancel this order")
    assert (await shopper.order(order_id))["status"] == "CANCELLED"


async def test_a_reason_that_is_a_word_of_the_language_is_shown_as_it_was_written(
    visitors: Visitors, shopper: Shopper, buys: Callable[..., Any]
) -> None:
    order_id = await buys("COD")
    reason = {"reason": "constructor"}
    answer = await shopper.request("POST", f"/api/orders/{order_id}/cancel", json=reason)
    assert answer.status_code == 200, answer.text

    buyer = await seen_by(visitors, shopper, order_id)

    history = await buyer.page.get_by_label("What became of it").inner_text()
    assert history.count("constructor") == 1
    assert "native code" not in history


async def test_somebody_elses_order_looks_like_none_and_says_what_can_be_done(
    visitors: Visitors, shopper: Shopper, other: Shopper, buys: Callable[..., Any]
) -> None:
    order_id = await buys("COD")
    stranger = await visitors.one()
    await stranger.open(f"/orders/{order_id}")
    await stranger.logs_in(other.email)
    await stranger.sees("This account has no such order")
    await stranger.reads(other.email)
    theirs = await stranger.page.locator("#order").inner_text()

    await stranger.open(f"/orders/{NEVER}")
    await stranger.sees("This account has no such order")
    assert await stranger.page.locator("#order").inner_text() == theirs
    await stranger.open(f"/orders/{order_id}")
    await stranger.presses("Use another account")
    await stranger.logs_in(shopper.email)
    await stranger.sees("We are getting your order ready")


async def test_a_session_is_renewed_unseen_and_one_that_ended_is_asked_for_again(
    visitors: Visitors, shopper: Shopper, buys: Callable[..., Any]
) -> None:
    buyer = await seen_by(visitors, shopper, await buys("COD"))
    before = await _session(buyer)
    await buyer.page.evaluate(
        "sessionStorage.setItem('shop.session', JSON.stringify({"
        "...JSON.parse(sessionStorage.getItem('shop.session')), expiresAt: 0}))"
    )

    await buyer.page.reload()
    await buyer.reads("Placed on")
    after = await _session(buyer)
    assert after["refreshToken"] != before["refreshToken"]

    assert (await shopper.request("POST", "/api/auth/logout-all")).status_code == 204
    await buyer.page.reload()
    await buyer.reads("You have been logged out in the meantime.")
    await buyer.logs_in(shopper.email)
    await buyer.reads("Placed on")


async def test_logging_out_leaves_nothing_in_the_browser(
    visitors: Visitors, shopper: Shopper, http: httpx2.AsyncClient, buys: Callable[..., Any]
) -> None:
    buyer = await seen_by(visitors, shopper, await buys("COD"))
    token = (await _session(buyer))["accessToken"]

    await buyer.presses("Log out")
    await expect(buyer.page.get_by_role("link", name="Log in")).to_be_visible()
    stored = await buyer.page.evaluate("[sessionStorage.length, localStorage.length]")
    assert stored == [0, 0]
    assert await buyer.context.cookies() == []
    headers = {"Authorization": f"Bearer {token}"}
    assert (await http.get(f"/api/users/{shopper.user_id}", headers=headers)).status_code == 401


async def test_without_a_network_nothing_is_lost_and_the_page_says_so(
    visitors: Visitors, shopper: Shopper, buys: Callable[..., Any]
) -> None:
    order_id = await buys("UPI")
    buyer = await seen_by(visitors, shopper, order_id)

    await buyer.context.set_offline(True)
    await buyer.presses("Pay now")
    await buyer.reads("You seem to be offline")
    await buyer.context.set_offline(False)
    await buyer.presses("Try again")
    await buyer.sees("We are getting your order ready")


async def _session(visitor: Visitor) -> dict[str, Any]:
    found: dict[str, Any] = await visitor.page.evaluate(
        "JSON.parse(sessionStorage.getItem('shop.session'))"
    )
    return found

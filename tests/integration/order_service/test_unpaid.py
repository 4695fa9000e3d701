"""An unpaid order says what is to be done, reminds once, and offers nothing that is in vain."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest

from common_lib.auth import Role
from common_lib.events import Envelope, event_from
from common_lib.events.orders import (
    CancelledBecause,
    NextStep,
    OrderCancelled,
    OrderCreated,
    OrderPaymentDue,
    PaymentFailed,
)
from order_service.services.reminders import Reminders
from order_service.settings import Settings
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.integration.order_service.placing.test_coupons import new_coupon
from tests.shopper import Shopper, at_once, line


async def placed(shop: OpenShop, shopper: Shopper, **body: Any) -> dict[str, Any]:
    wish = {"paymentMethod": "UPI"} | body
    answer = await shopper.place([line(shop.sell(price=80_000))], **wish)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def told(shop: OpenShop, order_id: str, kind: Any) -> list[Any]:
    """Return the events of a kind that were written about an order."""
    rows = await shop.rows(
        "SELECT body FROM outbox WHERE aggregate_key = :key ORDER BY id", key=order_id
    )
    envelopes = [Envelope.model_validate(orjson.loads(body)) for (body,) in rows]
    return [event_from(one) for one in envelopes if one.event_type == kind.event_type]


async def set_due(shop: OpenShop, order_id: str, seconds: int) -> None:
    async with shop.database.connection() as connection:
        await connection.exec_driver_sql(
            "UPDATE unpaid_orders SET due_at = UTC_TIMESTAMP(6) + INTERVAL %s SECOND"
            " WHERE order_id = %s",
            (seconds, UUID(order_id).bytes),
        )
        await connection.commit()


def reminders(shop: OpenShop) -> Reminders:
    return Reminders.of(shop.settings, shop.database, shop.cases.redis)


@pytest.mark.parametrize(
    ("body", "step"),
    [
        ({}, NextStep.PAY),
        ({"paymentToken": "tok_success"}, NextStep.PAYMENT_UNDER_WAY),
        ({"paymentMethod": "COD"}, NextStep.CASH_ON_DELIVERY),
    ],
)
async def test_a_new_order_tells_what_is_next_and_what_it_is_made_of(
    shop: OpenShop, body: dict[str, Any], step: NextStep
) -> None:
    code = await new_coupon(shop)
    order = await placed(shop, shop.somebody(), couponCode=code, **body)

    (event,) = await told(shop, order["id"], OrderCreated)

    assert event.next_step is step
    assert (event.pay_until is None) == (step is NextStep.CASH_ON_DELIVERY)
    assert event.amounts.coupon_code == code
    for name in ("subtotal", "discount", "shipping", "tax"):
        assert getattr(event.amounts, name).model_dump() == order[name]


async def test_an_order_for_nothing_tells_that_nothing_is_to_be_paid(shop: OpenShop) -> None:
    code = await new_coupon(shop, amount={"amount": 80_000, "currency": "INR"})
    order = await placed(shop, shop.somebody(), couponCode=code)

    (event,) = await told(shop, order["id"], OrderCreated)

    assert order["total"]["amount"] == 0, "a coupon does not bring the delivery fee back"
    assert event.next_step is NextStep.NOTHING_TO_PAY


async def test_an_unpaid_order_reminds_once_before_it_expires(shop: OpenShop) -> None:
    order = await placed(shop, shop.somebody())
    await reminders(shop).work_off()
    early = await told(shop, order["id"], OrderPaymentDue)
    await set_due(shop, order["id"], 300)

    await at_once(*(reminders(shop).work_off() for _ in range(3)))
    await reminders(shop).work_off()

    (event,) = await told(shop, order["id"], OrderPaymentDue)
    assert early == []
    assert event.total.model_dump() == order["total"]


@pytest.mark.parametrize("what", ["paid", "under way", "cancelled", "expired"])
async def test_nobody_is_reminded_in_vain(open_shop: OpenIt, what: str) -> None:
    shop = await open_shop(payment_timeout_s=0.3, payment_webhook_secret="another-one")
    shopper = shop.somebody()
    order = await placed(shop, shopper)
    await set_due(shop, order["id"], -1 if what == "expired" else 300)
    if what in ("paid", "under way"):
        await shopper.pay(order["id"], "tok_success" if what == "paid" else "tok_timeout")
    if what == "cancelled":
        await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    await reminders(shop).work_off()

    assert await told(shop, order["id"], OrderPaymentDue) == []


def test_a_reminder_leaves_half_of_the_time_in_peace() -> None:
    def ahead(**changes: int) -> float:
        values = {"database_url": "mysql+asyncmy://u:p@h/o", "payment_webhook_secret": "s"}
        settings = Settings.model_validate(values | changes)
        nothing: Any = None
        return Reminders.of(settings, nothing, nothing).ahead.total_seconds()

    assert ahead() == 600
    assert ahead(unpaid_order_ttl_s=60) == 30
    assert ahead(unpaid_reminder_s=0) == 0


async def test_a_failed_payment_is_told_in_words_with_the_time_that_is_left(
    shop: OpenShop,
) -> None:
    shopper = shop.somebody()
    order = await placed(shop, shopper)

    failed = (await shopper.pay(order["id"], "tok_nobody_knows")).json()

    (event,) = await told(shop, order["id"], PaymentFailed)
    assert (event.reason, failed["failureCode"]) == ("unknown_token", "unknown_token")
    assert event.reason_text == failed["failureText"]
    assert "unknown_token" not in event.reason_text
    assert event.pay_until is not None
    assert (await shopper.order(order["id"]))["payment"]["failureText"] == event.reason_text


async def acted(shopper: Shopper, order: dict[str, Any], action: str) -> httpx2.Response:
    """Do what the order offers, as it says."""
    if action == "PAY":
        offered = order["payment"]["nextAction"]
        return await shopper.request(
            offered["method"],
            offered["href"],
            headers={"Idempotency-Key": uuid4().hex},
            json={"paymentMethod": "UPI", "paymentToken": "tok_declined"},
        )
    return await shopper.request("POST", f"/api/orders/{order['id']}/cancel")


ALL_STATES = [
    "placed",
    "declined",
    "under way",
    "paid",
    "cash",
    "processing",
    "shipped",
    "delivered",
    "expired",
    "declined and expired",
    "cancelled",
    "refunded",
]


async def brought(shop: OpenShop, shopper: Shopper, state: str) -> dict[str, Any]:
    order = await placed(shop, shopper, paymentMethod="COD" if state == "cash" else "UPI")
    admin = shop.somebody(Role.ADMIN)
    tokens = {"declined": ["tok_declined"], "under way": ["tok_timeout"]}
    tokens |= {"declined and expired": ["tok_declined"]}
    paid = ("paid", "processing", "shipped", "delivered", "refunded")
    for token in tokens.get(state, ["tok_success"] if state in paid else []):
        await shopper.pay(order["id"], token)
    if "expired" in state:
        await set_due(shop, order["id"], -1)
        assert await shop.cases.orders.expire_unpaid() >= 1
    moves = {"processing": ["PROCESSING"], "shipped": ["SHIPPED"], "cancelled": ["CANCELLED"]}
    moves |= {"delivered": ["SHIPPED", "DELIVERED"], "refunded": ["SHIPPED", "REFUNDED"]}
    for status in moves.get(state, []):
        path = f"/api/orders/{order['id']}/status"
        moved = await admin.request("PATCH", path, json={"status": status})
        assert moved.status_code == 200, moved.text
    return await shopper.order(order["id"])


@pytest.mark.parametrize("state", ALL_STATES)
async def test_what_an_order_offers_succeeds_and_what_it_does_not_is_refused(
    open_shop: OpenIt, state: str
) -> None:
    shop = await open_shop(payment_timeout_s=0.3, payment_webhook_secret="another-one")

    for action in ("PAY", "CANCEL"):
        shopper = shop.somebody()
        order = await brought(shop, shopper, state)
        listed = (await shopper.request("GET", "/api/orders")).json()["items"][0]
        payments = (await shopper.request("GET", f"/api/orders/{order['id']}/payments")).json()
        offers = [one["nextAction"] for one in payments["items"] if one["nextAction"]]

        assert listed["actions"] == order["actions"], state
        is_payable = "PAY" in order["actions"]
        assert (order["payment"]["nextAction"] is not None) == is_payable, state
        assert len(offers) == int(is_payable), state
        assert (order["expiresAt"] is not None) == (order["status"] == "PENDING"), state
        if action in order["actions"]:
            assert (await acted(shopper, order, action)).status_code in (200, 201), state
        elif action == "PAY":
            order["payment"]["nextAction"] = {
                "method": "POST",
                "href": f"/api/orders/{order['id']}/payments",
            }
            assert (await acted(shopper, order, action)).status_code == 409, state
        elif order["status"] != "CANCELLED":
            assert (await acted(shopper, order, action)).status_code == 409, state


async def test_an_expired_order_offers_nothing_and_tells_why_it_ended(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await brought(shop, shopper, "declined and expired")

    assert (order["actions"], order["payment"]["nextAction"]) == ([], None)
    (event,) = await told(shop, order["id"], OrderCancelled)
    assert event.because is CancelledBecause.NOT_PAID_IN_TIME
    assert (event.refund, event.lines) == (None, ())


async def test_a_refusal_names_only_moves_that_the_caller_may_make(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order = await placed(shop, shopper, paymentMethod="COD")
    path = f"/api/orders/{order['id']}/status"
    await admin.request("PATCH", path, json={"status": "SHIPPED"})

    buyers = await shopper.request("PATCH", path, json={"status": "CANCELLED"})
    shops = await admin.request("PATCH", path, json={"status": "PROCESSING"})

    assert (buyers.status_code, buyers.json()["allowed"]) == (409, [])
    assert (shops.status_code, shops.json()["allowed"]) == (409, ["DELIVERED"])


async def test_a_cancelled_order_tells_who_ended_it_and_what_is_given_back(
    shop: OpenShop,
) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    own, shops = await placed(shop, shopper), await placed(shop, shopper)
    for order in (own, shops):
        await shopper.pay(order["id"])
    await shopper.request("POST", f"/api/orders/{own['id']}/cancel")
    await admin.request("POST", f"/api/orders/{shops['id']}/cancel")

    (by_buyer,) = await told(shop, own["id"], OrderCancelled)
    (by_shop,) = await told(shop, shops["id"], OrderCancelled)

    assert by_buyer.because is CancelledBecause.CUSTOMER
    assert by_shop.because is CancelledBecause.SHOP
    assert by_buyer.refund.model_dump() == own["total"]
    assert len(by_buyer.lines) == 1, "sellers had been told to send it"

"""Paying: direct replies, webhooks and the reconciler all lead to the same state."""

import time
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest

from common_lib.auth import Role
from shop.payment_sandbox import sign
from tests.integration.order_service.conftest import SECRET, OpenIt, OpenShop
from tests.problems import code_of
from tests.shopper import Shopper, at_once, line
from tests.waiting import eventually

WEBHOOKS = "/api/webhooks/payments/sandbox"


async def unpaid(shop: OpenShop, shopper: Shopper, **body: Any) -> dict[str, Any]:
    answer = await shopper.place([line(shop.sell(price=80_000))], paymentMethod="UPI", **body)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def payments_of(shopper: Shopper, order_id: str) -> list[dict[str, Any]]:
    answer = await shopper.request("GET", f"/api/orders/{order_id}/payments")
    payments: list[dict[str, Any]] = answer.json()["items"]
    return payments


async def refund(
    admin: Shopper, payment_id: str, amount: int | None, key: str = ""
) -> httpx2.Response:
    money = {"amount": {"amount": amount, "currency": "INR"}} if amount is not None else {}
    return await admin.request(
        "POST",
        f"/api/payments/{payment_id}/refunds",
        headers={"Idempotency-Key": key or uuid4().hex},
        json=money,
    )


def message(payment_id: str, amount: int = 80_000, **changes: Any) -> dict[str, Any]:
    data = {
        "id": f"pay_{payment_id}",
        "reference": payment_id,
        "amount": amount,
        "currency": "INR",
        "status": "succeeded",
    } | changes
    return {"id": f"evt_{uuid4().hex}", "type": f"payment.{data['status']}", "data": data}


async def send(
    shop: OpenShop, body: dict[str, Any], *, at: float | None = None, secret: str = SECRET
) -> httpx2.Response:
    return await send_raw(shop, orjson.dumps(body), at=at, secret=secret)


async def send_raw(
    shop: OpenShop, raw: bytes, *, at: float | None = None, secret: str = SECRET
) -> httpx2.Response:
    headers = {
        "Payment-Signature": sign(raw, secret, at or time.time()),
        "Content-Type": "application/json",
    }
    return await shop.http.post(WEBHOOKS, content=raw, headers=headers)


async def test_a_payment_confirms_the_order(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)

    paid = await shopper.pay(order["id"])

    assert (paid.status_code, paid.json()["status"]) == (201, "SUCCESS"), paid.text
    assert (await shopper.order(order["id"]))["status"] == "CONFIRMED"
    assert await shop.events_of(order["id"]) == [
        "ORDER_CREATED",
        "PAYMENT_SUCCESS",
        "ORDER_CONFIRMED",
    ]


async def test_a_token_in_the_order_is_charged_by_the_worker(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper, paymentToken="tok_success")
    assert order["status"] == "PENDING"
    assert order["payment"]["nextAction"] is None

    assert await shop.cases.provider_calls.work_off() >= 1

    assert (await shopper.order(order["id"]))["payment"]["status"] == "SUCCESS"


async def test_two_workers_charge_once(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper, paymentToken="tok_success")

    await at_once(*(shop.cases.provider_calls.work_off() for _ in range(4)))

    assert (await shop.events_of(order["id"])).count("PAYMENT_SUCCESS") == 1
    assert len(await payments_of(shopper, order["id"])) == 1


async def test_a_refused_payment_leaves_the_order_payable(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)

    declined = await shopper.pay(order["id"], "tok_declined")
    paid = await shopper.pay(order["id"], "tok_success")

    assert declined.json()["status"] == "FAILED"
    assert declined.json()["failureCode"] == "card_declined"
    assert declined.json()["nextAction"]["type"] == "start_payment"
    assert paid.json()["status"] == "SUCCESS"
    assert (await shop.events_of(order["id"])).count("PAYMENT_FAILED") == 1
    attempts = await payments_of(shopper, order["id"])
    assert [payment["status"] for payment in attempts] == ["FAILED", "FAILED", "SUCCESS"]


async def test_a_pending_payment_is_settled_by_the_webhook(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)

    pending = await shopper.pay(order["id"], "tok_pending")
    assert pending.json()["status"] == "PENDING"

    async def confirmed() -> bool:
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(confirmed, what="the webhook confirms the order")
    assert (await shop.events_of(order["id"])).count("ORDER_CONFIRMED") == 1


async def test_a_time_out_is_unknown_and_then_reconciled(open_shop: OpenIt) -> None:
    shop = await open_shop(payment_timeout_s=0.3)
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)

    late = await shopper.pay(order["id"], "tok_timeout")

    assert late.json()["status"] in {"PENDING", "SUCCESS"}, "the webhook may be first"
    assert (await shop.events_of(order["id"])).count("PAYMENT_FAILED") == 0

    async def confirmed() -> bool:
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(confirmed, what="the sandbox's webhook or the reconciler decides")


async def test_the_reconciler_asks_again_with_the_same_key(open_shop: OpenIt) -> None:
    shop = await open_shop(payment_timeout_s=0.3, payment_webhook_secret="another-one")
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    late = await shopper.pay(order["id"], "tok_timeout")
    assert late.json()["phase"] == "UNKNOWN"

    async def reconciled() -> bool:
        async with shop.database.connection() as connection:
            await connection.exec_driver_sql(
                "UPDATE payments SET next_action_at = '2026-01-01' WHERE phase = 'UNKNOWN'"
            )
            await connection.commit()
        await shop.cases.provider_calls.work_off()
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(reconciled, what="the second call meets the first one's charge")
    captured = [p["captured"]["amount"] for p in await payments_of(shopper, order["id"])]
    assert captured == [0, 80_000]


async def test_a_second_payment_waits_for_the_first(open_shop: OpenIt) -> None:
    shop = await open_shop(payment_timeout_s=0.3, payment_webhook_secret="another-one")
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    await shopper.pay(order["id"], "tok_timeout")

    answer = await shopper.pay(order["id"], "tok_success")

    assert (answer.status_code, code_of(answer)) == (409, "payment_in_progress")


async def test_a_paid_order_is_not_paid_again(shop: OpenShop) -> None:
    shopper, key = shop.somebody(), uuid4().hex
    order = await unpaid(shop, shopper)
    first = await shopper.pay(order["id"], key=key)

    replayed = await shopper.pay(order["id"], key=key)
    other_body = await shopper.pay(order["id"], "tok_declined", key=key)
    again = await shopper.pay(order["id"])

    assert replayed.content == first.content
    assert replayed.headers["idempotent-replayed"] == "true"
    assert (other_body.status_code, code_of(other_body)) == (422, "idempotency_key_reused")
    assert (again.status_code, code_of(again)) == (409, "order_not_payable")


async def test_parallel_payments_with_one_key_are_one_charge(shop: OpenShop) -> None:
    shopper, key = shop.somebody(), uuid4().hex
    order = await unpaid(shop, shopper)

    answers = await at_once(*(shopper.pay(order["id"], key=key) for _ in range(10)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    captured = [p["captured"]["amount"] for p in await payments_of(shopper, order["id"])]
    assert sum(captured) == 80_000


async def test_cash_on_delivery_may_be_chosen_later(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)

    answer = await shopper.request(
        "POST",
        f"/api/orders/{order['id']}/payments",
        headers={"Idempotency-Key": uuid4().hex},
        json={"paymentMethod": "COD"},
    )

    assert answer.status_code == 201, answer.text
    assert (await shopper.order(order["id"]))["status"] == "CONFIRMED"


async def test_a_webhook_counts_once(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    body = message(order["payment"]["id"])

    answers = await at_once(*(send(shop, body) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    outcomes = sorted(answer.json()["outcome"] for answer in answers)
    assert outcomes == ["APPLIED", *["IGNORED"] * 4]
    assert (await shop.events_of(order["id"])).count("PAYMENT_SUCCESS") == 1


async def test_a_late_success_overtakes_a_failure_and_not_the_other_way(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    payment_id = order["payment"]["id"]

    for status in ("failed", "succeeded", "failed", "processing"):
        answer = await send(shop, message(payment_id, status=status))
        assert answer.status_code == 200

    assert (await shopper.order(order["id"]))["payment"]["status"] == "SUCCESS"


# An early one comes nearer to its time while it is on its way.
@pytest.mark.parametrize("seconds", [-301, 305])
async def test_a_stale_or_early_signature_is_refused(shop: OpenShop, seconds: int) -> None:
    answer = await send(shop, message(str(uuid4())), at=time.time() + seconds)

    assert (answer.status_code, code_of(answer)) == (400, "invalid_signature")


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=00", "deadbeef", "t=x,v1=" + "0" * 64])
async def test_a_bad_signature_is_refused(shop: OpenShop, signature: str | None) -> None:
    headers = {"Payment-Signature": signature} if signature is not None else {}

    answer = await shop.http.post(WEBHOOKS, json=message(str(uuid4())), headers=headers)

    assert (answer.status_code, code_of(answer)) == (400, "invalid_signature")


async def test_a_signature_of_another_secret_or_scheme_is_refused(shop: OpenShop) -> None:
    body = message(str(uuid4()))

    foreign = await send(shop, body, secret="not-ours")
    checkout = await shop.http.post(WEBHOOKS, json=body, headers={"X-Razorpay-Signature": "0" * 64})

    assert (foreign.status_code, checkout.status_code) == (400, 400)


async def test_a_webhook_of_an_unknown_provider_is_not_found(shop: OpenShop) -> None:
    answer = await shop.http.post("/api/webhooks/payments/paypal", json={})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b'"deep":' + b"[" * 98 + b"]" * 98, 400),
        (b'"deep":' + b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
        (b'"type":"payment.failed"', 400),
        (b'"\\u0074ype":"payment.failed"', 400),
        (b'"wide":[' + b"1," * 20_000 + b"1]", 200),
        (b'"big":18446744073709551615,"small":-9223372036854775808,"float":1e308', 200),
        (b'"beyond":' + b"9" * 300, 200),
        (b'"' + b"n" * 60_000 + b'":1', 200),
        (b'"beyond":' + b"9" * 400, 422),
        (b'"nul":"\\u0000"', 422),
    ],
    ids=["99 levels", "5,000", "twice", "escaped", "wide", "big", "huge", "name", "inf", "NUL"],
)
async def test_a_signed_webhook_of_any_shape_is_taken_or_refused_plainly(
    shop: OpenShop, more: bytes, status: int
) -> None:
    """What MySQL's JSON could not keep is refused: it takes 100 levels."""
    raw = orjson.dumps(message(str(uuid4())))[:-1] + b"," + more + b"}"

    answer = await send_raw(shop, raw)

    assert answer.status_code == status, answer.text
    if status == 400:
        assert code_of(answer) == "malformed_json"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1}, "amount_mismatch"),
        ({"amount": -80_000}, "amount_mismatch"),
        ({"currency": "USD"}, "currency_mismatch"),
        ({"reference": str(uuid4())}, "unknown_payment"),
        ({"reference": "order-17"}, "unknown_payment"),
        ({"id": "pay_of_somebody_else"}, "another_payment"),
    ],
)
async def test_a_webhook_that_does_not_fit_is_quarantined(
    shop: OpenShop, changes: dict[str, Any], reason: str
) -> None:
    shopper = shop.somebody()
    first, order = await unpaid(shop, shopper), await unpaid(shop, shopper)
    await send(shop, message(first["payment"]["id"], id="pay_of_somebody_else"))
    body = message(order["payment"]["id"], **changes)

    answer = await send(shop, body)

    assert (answer.status_code, answer.json()["outcome"]) == (200, "QUARANTINED")
    assert (await shopper.order(order["id"]))["status"] == "PENDING"
    stored = await shop.one(
        "SELECT reason FROM payment_webhook_events WHERE event_id = :id", id=body["id"]
    )
    assert stored == reason


async def test_a_capture_for_a_cancelled_order_is_given_back(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    await shopper.request("POST", f"/api/orders/{order['id']}/cancel")

    await send(shop, message(order["payment"]["id"]))

    payment = (await payments_of(shopper, order["id"]))[0]
    assert payment["captured"] == payment["refunded"] == {"amount": 80_000, "currency": "INR"}
    assert (await shopper.order(order["id"]))["status"] == "CANCELLED"
    assert (await shop.events_of(order["id"])).count("REFUND_INITIATED") == 1


async def test_cancelling_a_paid_order_refunds_it_once(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    await shopper.pay(order["id"])
    path = f"/api/orders/{order['id']}/cancel"

    await at_once(*(shopper.request("POST", path) for _ in range(3)))
    await at_once(*(shop.cases.provider_calls.work_off() for _ in range(3)))

    payment = (await payments_of(shopper, order["id"]))[-1]
    assert payment["status"] == "REFUNDED"
    assert payment["refunded"] == {"amount": 80_000, "currency": "INR"}
    events = await shop.events_of(order["id"])
    assert (events.count("REFUND_INITIATED"), events.count("REFUND_COMPLETED")) == (1, 1)


async def test_refunds_never_exceed_what_was_captured(shop: OpenShop) -> None:
    shopper, admin, key = shop.somebody(), shop.somebody(Role.ADMIN), uuid4().hex
    order = await unpaid(shop, shopper)
    payment_id = (await shopper.pay(order["id"])).json()["id"]

    part = await refund(admin, payment_id, 30_000, key)
    replay = await refund(admin, payment_id, 30_000, key)
    answers = await at_once(*(refund(admin, payment_id, 30_000) for _ in range(4)))
    too_much = await refund(admin, payment_id, 80_000)
    rest = await refund(admin, payment_id, None)
    once_more = await refund(admin, payment_id, None)

    assert part.status_code == 201, part.text
    assert replay.content == part.content
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (too_much.status_code, code_of(too_much)) == (409, "refund_exceeds_captured")
    assert rest.json()["amount"]["amount"] == 20_000
    assert (once_more.status_code, code_of(once_more)) == (409, "refund_exceeds_captured")
    assert once_more.json()["detail"] == "all that was paid has been given back"


async def test_where_nothing_is_left_to_give_back_nothing_is_promised(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order = await unpaid(shop, shopper)
    [payment] = await payments_of(shopper, order["id"])

    answer = await refund(admin, payment["id"], None)

    assert (answer.status_code, code_of(answer)) == (409, "refund_exceeds_captured")


async def test_a_customer_does_not_refund(shop: OpenShop) -> None:
    shopper = shop.somebody()
    order = await unpaid(shop, shopper)
    payment_id = (await shopper.pay(order["id"])).json()["id"]

    assert (await refund(shopper, payment_id, 1)).status_code == 403


async def test_an_unknown_payment_is_not_refunded(shop: OpenShop) -> None:
    admin = shop.somebody(Role.ADMIN)

    answers = [await refund(admin, name, 1) for name in (str(uuid4()), "x")]

    assert [answer.status_code for answer in answers] == [404, 404]

"""A process dies between any two steps of the protocol; afterwards the invariants hold.

Each case is a row of the crash table: where the process dies, what the customer then sees when
trying again with the same key, and that nothing was lost, doubled or left held.
"""

from uuid import uuid4

import pytest

from shop.stack.native import NativeStack
from tests.chaos.crashing import arm, available, place_or_fail, placed_again, variant_with
from tests.invariants import assert_invariants
from tests.mailbox import mails_to
from tests.shopper import Shopper, line
from tests.waiting import eventually


async def placing_mails(stack: NativeStack, shopper: Shopper) -> int:
    mails = await mails_to(stack, shopper.email)
    return sum(mail["subject"].startswith("Order Placed") for mail in mails)


@pytest.mark.parametrize(
    ("process", "point"),
    [
        ("order", "order.before_tx1"),
        ("catalog", "catalog.before_tx1_commit"),
        ("catalog", "catalog.after_tx1_commit"),
        ("order", "order.after_tx1"),
        ("order", "order.before_tx2"),
        ("order", "order.tx2_before_commit"),
        ("order", "order.tx2_after_commit"),
    ],
)
async def test_a_retry_after_a_crash_makes_exactly_one_order(
    whole: NativeStack, shopper: Shopper, seller: Shopper, process: str, point: str
) -> None:
    variant_id, key = await variant_with(seller, 3), uuid4().hex
    arm(whole, process, point)

    first = await place_or_fail(shopper, variant_id, key)
    whole.wait_dead(process)
    whole.start_process(process)
    again = await placed_again(shopper, variant_id, key)

    assert first in {0, 502, 503}, first
    assert again.status_code == 201, again.text
    await assert_invariants(whole)
    assert await available(shopper, variant_id) == 2
    assert await placing_mails(whole, shopper) == 1


async def test_a_crash_after_the_commit_loses_no_order(
    whole: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    variant_id, key = await variant_with(seller, 3), uuid4().hex
    arm(whole, "order", "order.after_answer_scheduled")

    await place_or_fail(shopper, variant_id, key)
    whole.wait_dead("order")
    whole.start_process("order")

    await assert_invariants(whole)
    orders = (await shopper.request("GET", "/api/orders")).json()["items"]
    assert len(orders) == 1
    assert (await placed_again(shopper, variant_id, key)).json()["id"] == orders[0]["id"]


@pytest.mark.parametrize(
    ("process", "point", "mails"),
    [
        ("order-worker", "relay.after_publish_before_mark", {1}),
        ("catalog-worker", "catalog.before_commit_hold", {1}),
        ("catalog-worker", "consumer.after_effect_before_delete", {1}),
        ("notification-worker", "mail.before_ses", {1}),
        ("notification-worker", "consumer.after_effect_before_delete", {1}),
        # SES has no idempotency token: between its answer and ours one duplicate is possible.
        ("notification-worker", "mail.after_ses_before_sent", {1, 2}),
    ],
)
async def test_a_worker_that_dies_is_caught_up_with(  # noqa: PLR0917
    whole: NativeStack,
    shopper: Shopper,
    seller: Shopper,
    process: str,
    point: str,
    mails: set[int],
) -> None:
    variant_id = await variant_with(seller, 3)
    # What came before must not be what it dies over.
    await assert_invariants(whole)
    arm(whole, process, point)

    # Not paid yet: an ORDER_CONFIRMED that overtakes ORDER_CREATED would step around the point.
    assert await place_or_fail(shopper, variant_id, uuid4().hex, paymentMethod="UPI") == 201
    whole.wait_dead(process)
    whole.start_process(process)

    await assert_invariants(whole)
    assert await available(shopper, variant_id) == 2
    assert await placing_mails(whole, shopper) in mails


async def test_a_crash_in_the_middle_of_a_release_releases_once(
    whole: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    variant_id = await variant_with(seller, 3)
    order = (await shopper.place([line(variant_id, 2)])).json()
    arm(whole, "catalog-worker", "catalog.release_mid")

    cancelled = await shopper.request("POST", f"/api/orders/{order['id']}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    whole.wait_dead("catalog-worker")
    whole.start_process("catalog-worker")

    await assert_invariants(whole)
    assert await available(shopper, variant_id) == 3


async def test_a_crash_after_the_provider_took_the_money_charges_once(
    whole: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    variant_id = await variant_with(seller, 3)
    arm(whole, "order-worker", "payment.after_provider_call")

    placed = await shopper.place(
        [line(variant_id)], paymentMethod="UPI", paymentToken="tok_success"
    )
    assert placed.status_code == 201, placed.text
    whole.wait_dead("order-worker")
    whole.start_process("order-worker")

    async def confirmed() -> bool:
        return bool((await shopper.order(placed.json()["id"]))["status"] == "CONFIRMED")

    await eventually(confirmed, timeout_s=60, what="the payment is reconciled")
    await assert_invariants(whole)
    payments = (await shopper.request("GET", f"/api/orders/{placed.json()['id']}/payments")).json()
    assert [payment["status"] for payment in payments["items"]] == ["SUCCESS"]

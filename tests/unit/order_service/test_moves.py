"""The tables of allowed moves."""

from itertools import pairwise, product
from typing import Any

import pytest

from common_lib.events.orders import OrderCancelled, OrderConfirmed
from common_lib.events.users import DELETED_NAME, dead_address, is_dead_address
from order_service.models import (
    ORDER_MOVES,
    PAYMENT_MOVES,
    SELLER_MOVES,
    IllegalTransition,
    RefundExceedsCaptured,
    ReturnRefund,
)
from order_service.models.consequences import CONSEQUENCES, StockEffect, Trigger, moves_from
from order_service.schemas.enums import OrderStatus, PaymentPhase, PaymentStatus, ReturnStatus
from tests.unit.order_service.examples import ADDRESS, LONG_AGO, a_payment, an_order, inr

O = OrderStatus  # noqa: E741 - a table reads better with one letter
ALLOWED = {
    (O.PENDING, O.CONFIRMED),
    (O.PENDING, O.CANCELLED),
    (O.CONFIRMED, O.PROCESSING),
    (O.CONFIRMED, O.SHIPPED),
    (O.CONFIRMED, O.CANCELLED),
    (O.PROCESSING, O.SHIPPED),
    (O.PROCESSING, O.CANCELLED),
    (O.SHIPPED, O.DELIVERED),
    (O.SHIPPED, O.REFUNDED),
    (O.DELIVERED, O.REFUNDED),
}


@pytest.mark.parametrize(("before", "after"), list(product(OrderStatus, OrderStatus)))
def test_an_order_moves_along_its_table_only(before: OrderStatus, after: OrderStatus) -> None:
    order = an_order(before)

    if (before, after) in ALLOWED:
        change = order.move_to(after, note="why")
        assert (change.from_status, change.to_status) == (before, after)
        assert (order.status, order.version) == (after, 2)
        assert change.order_version == 2
    else:
        with pytest.raises(IllegalTransition) as refused:
            order.move_to(after)
        assert order.status is before
        assert refused.value.details["allowed"] == sorted(ORDER_MOVES[before])


def test_the_moves_are_those_of_the_table_of_consequences() -> None:
    led_to: dict[OrderStatus, set[OrderStatus]] = {status: set() for status in OrderStatus}
    for cells in CONSEQUENCES.values():
        for status, cell in cells.items():
            led_to[status] |= {cell.becomes} if cell.becomes is not None else set()

    assert {status: set(moves) for status, moves in ORDER_MOVES.items()} == led_to
    assert set(CONSEQUENCES) == set(Trigger)


def test_stock_is_moved_by_the_event_that_the_catalog_hears() -> None:
    told = {StockEffect.TAKE: OrderConfirmed, StockEffect.PUT_BACK: OrderCancelled}
    for cells in CONSEQUENCES.values():
        for cell in cells.values():
            for effect, event in told.items():
                assert (cell.stock is effect) == (event in cell.events)


def test_what_is_given_back_ends_with_the_order_only_before_it_is_shipped() -> None:
    for cells in CONSEQUENCES.values():
        for cell in cells.values():
            is_ended = cell.becomes is OrderStatus.CANCELLED
            assert cell.is_coupon_given_back == is_ended
            assert (cell.stock is StockEffect.PUT_BACK) == is_ended


def test_only_moves_that_would_be_obeyed_are_named() -> None:
    shipped = moves_from(OrderStatus.SHIPPED, holds_money=False)

    assert shipped == {OrderStatus.DELIVERED}
    assert moves_from(OrderStatus.SHIPPED, holds_money=True) == shipped | {OrderStatus.REFUNDED}
    assert moves_from(OrderStatus.CANCELLED, holds_money=True) == frozenset()


def test_every_status_has_its_moves_written_down() -> None:
    assert set(ORDER_MOVES) == set(OrderStatus)
    assert set(PAYMENT_MOVES) == set(PaymentStatus)


def test_the_briefs_way_leads_to_the_door() -> None:
    order = an_order()
    way = [O.PENDING, O.CONFIRMED, O.SHIPPED, O.DELIVERED]

    for before, after in pairwise(way):
        change = order.move_to(after)
        assert change.from_status is before

    assert order.version == 4


def test_nothing_leads_back_to_a_pending_payment() -> None:
    assert all(PaymentStatus.PENDING not in moves for moves in PAYMENT_MOVES.values())


def test_a_settled_payment_forgets_its_token() -> None:
    payment = a_payment(an_order(), next_action_at=LONG_AGO)

    payment.succeed("pay_1")

    assert payment.provider_token is None
    assert payment.next_action_at is None
    assert (payment.phase, payment.captured_minor) == (PaymentPhase.SETTLED, 50_000)


def test_a_late_success_forgets_the_failure() -> None:
    payment = a_payment(an_order())
    payment.fail("card_declined", "pay_1")

    payment.succeed("pay_1")

    assert (payment.status, payment.failure_code) == (PaymentStatus.SUCCESS, None)


@pytest.mark.parametrize(
    ("changes", "is_awaiting"),
    [
        ({"phase": PaymentPhase.INITIATED}, True),
        ({"phase": PaymentPhase.INITIATED, "next_action_at": LONG_AGO}, False),
        ({"phase": PaymentPhase.REQUESTED}, False),
        ({"phase": PaymentPhase.UNKNOWN}, False),
    ],
)
def test_a_payment_waits_for_the_customer_until_it_has_a_token(
    changes: dict[str, Any], is_awaiting: bool
) -> None:
    assert a_payment(an_order(), **changes).is_awaiting_customer is is_awaiting


def test_a_provider_sees_one_key_per_attempt() -> None:
    order = an_order()

    keys = {a_payment(order, attempt=attempt).provider_key for attempt in (1, 2)}

    assert keys == {f"{order.id}:1", f"{order.id}:2"}


def test_refunds_add_up_to_what_was_captured_and_no_further() -> None:
    payment = a_payment(an_order(), captured_minor=50_000)

    first = ReturnRefund.of_payment(payment, inr(30_000), reason="scratched", by=None)
    with pytest.raises(RefundExceedsCaptured):
        ReturnRefund.of_payment(payment, inr(20_001), reason="all of it", by=None)
    ReturnRefund.of_payment(payment, inr(20_000), reason="the rest", by=None)

    assert payment.refundable == inr(0)
    assert first.is_due


def test_a_refund_in_another_currency_is_refused() -> None:
    payment = a_payment(an_order(), captured_minor=50_000)

    with pytest.raises(RefundExceedsCaptured):
        payment.promise_refund(inr(1).model_copy(update={"currency": "USD"}))


def test_a_refund_that_was_made_is_not_due_again() -> None:
    payment = a_payment(an_order(), captured_minor=50_000)
    refund = ReturnRefund.of_payment(payment, inr(1), reason="x", by=None)

    refund.complete("re_1")

    assert refund.status is ReturnStatus.REFUNDED
    assert not refund.is_due
    assert refund.next_action_at is None


def test_a_refusal_is_narrowed_to_what_its_reader_may_do() -> None:
    refusal = IllegalTransition("no", status=O.CONFIRMED, allowed=["CANCELLED", "SHIPPED"])

    narrowed = refusal.within(frozenset({O.CANCELLED}))

    assert narrowed.details == {"status": O.CONFIRMED, "allowed": ["CANCELLED"]}
    assert narrowed.detail == "no"
    assert IllegalTransition("no").within(frozenset(O)).details == {"allowed": []}


@pytest.mark.parametrize(
    ("changes", "is_under_way"),
    [
        ({"phase": PaymentPhase.INITIATED}, False),
        ({"phase": PaymentPhase.INITIATED, "next_action_at": LONG_AGO}, True),
        ({"phase": PaymentPhase.UNKNOWN}, True),
        ({"phase": PaymentPhase.SETTLED, "status": PaymentStatus.FAILED}, False),
        ({"phase": PaymentPhase.SETTLED, "status": PaymentStatus.SUCCESS}, False),
    ],
)
def test_a_payment_is_under_way_from_when_a_provider_may_know_of_it(
    changes: dict[str, Any], is_under_way: bool
) -> None:
    assert a_payment(an_order(), **changes).is_under_way is is_under_way


def test_a_payment_tells_what_came_in_and_what_went_back() -> None:
    payment = a_payment(an_order(), captured_minor=50_000, refunded_minor=20_000)

    assert (payment.captured, payment.refunded) == (inr(50_000), inr(20_000))
    assert payment.refundable == inr(30_000)


def test_a_seller_packs_ships_and_delivers_and_decides_nothing_about_money() -> None:
    assert {O.PROCESSING, O.SHIPPED, O.DELIVERED} == SELLER_MOVES


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_final_where_nothing_is_to_be_brought_any_more(status: OrderStatus) -> None:
    assert an_order(status).is_final is (status in {O.DELIVERED, O.CANCELLED, O.REFUNDED})


def test_a_move_is_dated() -> None:
    order = an_order(updated_at=LONG_AGO)

    change = order.move_to(O.CONFIRMED)

    assert order.updated_at == change.created_at > LONG_AGO


def test_an_order_whose_contact_is_forgotten_writes_to_nobody() -> None:
    order = an_order()

    order.forget_contact()

    assert is_dead_address(order.email)
    assert order.email == dead_address(order.user_id)


def test_a_forgotten_recipient_leaves_the_place_of_supply_and_nothing_of_the_person() -> None:
    order = an_order(notes="Ring twice", shipping_address={**ADDRESS, "country": "IN"})

    order.forget_recipient()

    kept = {"state": "Karnataka", "pincode": "560001", "country": "IN"}
    blank = {"phone": "", "addressLine1": "", "city": ""}
    assert order.shipping_address == {**blank, **kept, "fullName": DELETED_NAME}
    assert (order.full_name, order.notes) == (DELETED_NAME, None)

"""The table of consequences, held to what a shop promises rather than to itself."""

from collections.abc import Iterator
from typing import Final

import pytest

from common_lib.events.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderShipped,
    PaymentFailed,
    PaymentSucceeded,
)
from order_service.models.consequences import (
    CONSEQUENCES,
    Consequence,
    MoneyEffect,
    ParcelEffect,
    StockEffect,
    Trigger,
    consequence_of,
    moves_from,
)
from order_service.schemas.enums import OrderStatus as S

EVERYWHERE: Final = set(S)
BEFORE_THE_PARCEL: Final = {S.PENDING, S.CONFIRMED, S.PROCESSING}
# Where each thing can happen at all; money may arrive, fail or go back at any time.
POSSIBLE: Final = {
    Trigger.CONFIRM: {S.PENDING},
    Trigger.PROCESS: {S.CONFIRMED},
    Trigger.SHIP: {S.CONFIRMED, S.PROCESSING},
    Trigger.DELIVER: {S.SHIPPED},
    Trigger.CANCEL: BEFORE_THE_PARCEL | {S.CANCELLED},
    Trigger.REFUND: {S.SHIPPED, S.DELIVERED},
    Trigger.EXPIRE: EVERYWHERE,
    Trigger.CASH_CHOSEN: {S.PENDING},
    Trigger.PAID: EVERYWHERE,
    Trigger.PAID_TWICE: EVERYWHERE,
    Trigger.PAYMENT_FAILED: EVERYWHERE,
    Trigger.REFUNDED_IN_PART: EVERYWHERE,
    Trigger.REFUNDED_IN_FULL: EVERYWHERE,
}
GOODS: Final = {
    S.CONFIRMED: (StockEffect.TAKE, ParcelEffect.KEEP, OrderConfirmed),
    S.SHIPPED: (StockEffect.KEEP, ParcelEffect.SEND, OrderShipped),
    S.DELIVERED: (StockEffect.KEEP, ParcelEffect.ARRIVE, OrderDelivered),
    S.CANCELLED: (StockEffect.PUT_BACK, ParcelEffect.KEEP, OrderCancelled),
}
OF_MONEY: Final = {PaymentSucceeded, PaymentFailed}


def cells() -> Iterator[tuple[Trigger, S, Consequence]]:
    for trigger, row in CONSEQUENCES.items():
        for status, cell in row.items():
            yield trigger, status, cell


ALL: Final = [pytest.param(*each, id=f"{each[0]} at {each[1]}") for each in cells()]
each_cell = pytest.mark.parametrize(("trigger", "status", "cell"), ALL)


@pytest.mark.parametrize("trigger", Trigger)
def test_each_thing_can_happen_where_it_should_and_nowhere_else(trigger: Trigger) -> None:
    found = {status for status in S if consequence_of(trigger, status) is not None}

    assert found == POSSIBLE[trigger]


@each_cell
def test_goods_parcel_and_word_to_the_customer_follow_the_new_status(
    trigger: Trigger, status: S, cell: Consequence
) -> None:
    del trigger, status
    nothing = (StockEffect.KEEP, ParcelEffect.KEEP, None)
    stock, parcel, told = GOODS.get(cell.becomes, nothing) if cell.becomes else nothing

    assert (cell.stock, cell.parcel) == (stock, parcel)
    assert set(cell.events) - OF_MONEY == ({told} if told else set())


@each_cell
def test_a_coupon_comes_back_with_the_cancellation_and_with_nothing_else(
    trigger: Trigger, status: S, cell: Consequence
) -> None:
    del trigger, status

    assert cell.is_coupon_given_back == (cell.becomes is S.CANCELLED)


@each_cell
def test_an_order_frees_its_slot_when_it_stops_waiting_for_its_buyer(
    trigger: Trigger, status: S, cell: Consequence
) -> None:
    del status
    stops = cell.becomes in {S.CONFIRMED, S.CANCELLED}

    assert cell.is_slot_freed == (stops or trigger is Trigger.EXPIRE)


@each_cell
def test_money_moves_with_what_happened(trigger: Trigger, status: S, cell: Consequence) -> None:
    assert cell.money is expected_money(trigger, status, cell)
    assert cell.needs_money == (trigger is Trigger.REFUND)


def expected_money(trigger: Trigger, status: S, cell: Consequence) -> MoneyEffect:
    """Ended orders keep no money; what comes in twice or too late goes straight back."""
    if cell.becomes is S.CANCELLED or trigger is Trigger.REFUND:
        return MoneyEffect.GIVE_BACK
    match trigger:
        case Trigger.CONFIRM:
            return MoneyEffect.RECORD
        case Trigger.DELIVER:
            return MoneyEffect.COLLECT
        case Trigger.PAID_TWICE:
            return MoneyEffect.GIVE_BACK_THIS
        case Trigger.PAID:
            is_over = status in {S.CANCELLED, S.REFUNDED}
            return MoneyEffect.GIVE_BACK_THIS if is_over else MoneyEffect.CLOSE_OTHERS
        case _:
            return MoneyEffect.KEEP


@each_cell
def test_who_waits_for_money_hears_of_it(trigger: Trigger, status: S, cell: Consequence) -> None:
    is_over = status in {S.CANCELLED, S.REFUNDED}
    told: set[type] = set()
    if trigger is Trigger.PAID and not is_over:
        told = {PaymentSucceeded}
    if trigger is Trigger.PAYMENT_FAILED and status is S.PENDING:
        told = {PaymentFailed}

    assert set(cell.events) & OF_MONEY == told


def test_money_is_told_of_before_what_follows_from_it() -> None:
    paid = consequence_of(Trigger.PAID, S.PENDING)

    assert paid is not None
    assert paid.events == (PaymentSucceeded, OrderConfirmed)


@each_cell
def test_nothing_brings_an_order_back_or_past_its_end(
    trigger: Trigger, status: S, cell: Consequence
) -> None:
    way = [S.PENDING, S.CONFIRMED, S.PROCESSING, S.SHIPPED, S.DELIVERED, S.REFUNDED]
    if cell.becomes is None:
        return
    if cell.becomes is S.CANCELLED:
        assert status in BEFORE_THE_PARCEL, trigger
        return
    assert way.index(cell.becomes) > way.index(status), trigger


@pytest.mark.parametrize(
    ("trigger", "becomes"),
    [
        (Trigger.CONFIRM, S.CONFIRMED),
        (Trigger.PROCESS, S.PROCESSING),
        (Trigger.SHIP, S.SHIPPED),
        (Trigger.DELIVER, S.DELIVERED),
        (Trigger.REFUND, S.REFUNDED),
        (Trigger.CASH_CHOSEN, S.CONFIRMED),
        (Trigger.PAID_TWICE, None),
        (Trigger.PAYMENT_FAILED, None),
        (Trigger.REFUNDED_IN_PART, None),
    ],
)
def test_it_leads_to_the_same_status_from_everywhere(trigger: Trigger, becomes: S | None) -> None:
    assert {cell.becomes for _, cell in CONSEQUENCES[trigger].items()} == {becomes}


@pytest.mark.parametrize(
    ("trigger", "ends", "refunds"),
    [
        (Trigger.CANCEL, BEFORE_THE_PARCEL, set()),
        (Trigger.EXPIRE, {S.PENDING}, set()),
        (Trigger.REFUNDED_IN_FULL, BEFORE_THE_PARCEL, {S.SHIPPED, S.DELIVERED}),
    ],
)
def test_what_may_end_an_order_ends_it_only_from_there(
    trigger: Trigger, ends: set[S], refunds: set[S]
) -> None:
    becomes = {status: cell.becomes for status, cell in CONSEQUENCES[trigger].items()}

    assert {status for status, new in becomes.items() if new is S.CANCELLED} == ends
    assert {status for status, new in becomes.items() if new is S.REFUNDED} == refunds
    assert set(becomes.values()) <= {None, S.CANCELLED, S.REFUNDED}


def test_only_the_first_payment_confirms() -> None:
    becomes = {status: cell.becomes for status, cell in CONSEQUENCES[Trigger.PAID].items()}

    assert becomes == {**dict.fromkeys(S), S.PENDING: S.CONFIRMED}


@pytest.mark.parametrize(
    ("status", "holds_money", "may_name"),
    [
        (S.PENDING, False, {S.CONFIRMED, S.CANCELLED}),
        (S.CONFIRMED, True, {S.PROCESSING, S.SHIPPED, S.CANCELLED}),
        (S.PROCESSING, True, {S.SHIPPED, S.CANCELLED}),
        (S.SHIPPED, False, {S.DELIVERED}),
        (S.SHIPPED, True, {S.DELIVERED, S.REFUNDED}),
        (S.DELIVERED, False, set()),
        (S.DELIVERED, True, {S.REFUNDED}),
        (S.CANCELLED, True, set()),
        (S.REFUNDED, True, set()),
    ],
)
def test_people_may_name_what_they_would_be_obeyed_in(
    status: S, holds_money: bool, may_name: set[S]
) -> None:
    assert moves_from(status, holds_money=holds_money) == may_name

"""What a payment keeps of what its provider says, and what may be promised back of it."""

from typing import Any

import pytest

from order_service.models import PAYMENT_MOVES, Payment, RefundExceedsCaptured, ReturnRefund
from order_service.schemas.enums import PaymentPhase, PaymentStatus, ReturnStatus, ReturnType
from tests.unit.order_service.examples import FAR_AHEAD, LONG_AGO, a_payment, an_order, inr

S = PaymentStatus
ALLOWED = {
    (S.PENDING, S.SUCCESS),
    (S.PENDING, S.FAILED),
    (S.FAILED, S.SUCCESS),
    (S.SUCCESS, S.REFUNDED),
}


def captured(amount: int = 50_000, **changes: Any) -> Payment:
    return a_payment(an_order(), captured_minor=amount, **changes)


def test_a_payment_may_become_what_its_table_says_and_nothing_else() -> None:
    found = {
        (before, after)
        for before in PAYMENT_MOVES
        for after in PaymentStatus
        if a_payment(an_order(), status=before).can_become(after)
    }

    assert found == ALLOWED


def test_a_failed_payment_says_why_and_waits_for_nothing() -> None:
    payment = a_payment(an_order(), next_action_at=LONG_AGO)

    payment.fail("card_declined", "pay_1")

    assert (payment.status, payment.phase) == (S.FAILED, PaymentPhase.SETTLED)
    assert (payment.failure_code, payment.provider_payment_id) == ("card_declined", "pay_1")
    assert (payment.next_action_at, payment.provider_token) == (None, None)
    assert payment.captured_minor == 0
    assert payment.updated_at > LONG_AGO


def test_a_paid_payment_keeps_its_providers_id() -> None:
    payment = a_payment(an_order())

    payment.succeed("pay_1")

    assert (payment.status, payment.provider_payment_id) == (S.SUCCESS, "pay_1")
    assert payment.updated_at > LONG_AGO


def test_an_id_that_was_told_before_stays_when_it_is_not_told_again() -> None:
    failed, paid = (a_payment(an_order(), provider_payment_id="pay_1") for _ in range(2))

    failed.fail("card_declined")
    paid.succeed(None)

    assert (failed.provider_payment_id, paid.provider_payment_id) == ("pay_1", "pay_1")


@pytest.mark.parametrize("length", [63, 64, 65, 500])
def test_a_providers_code_is_cut_to_what_its_column_takes(length: int) -> None:
    payment = a_payment(an_order())

    payment.fail("x" * length)

    assert payment.failure_code == "x" * min(length, 64)


def test_an_undecided_payment_is_looked_at_again_when_it_was_said() -> None:
    payment = a_payment(an_order())

    payment.wait(PaymentPhase.UNKNOWN, FAR_AHEAD)

    assert payment.status is S.PENDING
    assert (payment.phase, payment.next_action_at) == (PaymentPhase.UNKNOWN, FAR_AHEAD)
    assert payment.updated_at > LONG_AGO


@pytest.mark.parametrize(
    ("paid", "given_back", "wanted", "reason"),
    [
        (50_000, 0, 0, RefundExceedsCaptured.title),
        (50_000, 0, 50_001, RefundExceedsCaptured.title),
        (50_000, 49_999, 2, RefundExceedsCaptured.title),
        (50_000, 50_000, 1, "all that was paid has been given back"),
        (1, 1, 1, "all that was paid has been given back"),
        (0, 0, 1, RefundExceedsCaptured.title),
    ],
)
def test_a_refund_that_is_refused_says_what_is_left(
    paid: int, given_back: int, wanted: int, reason: str
) -> None:
    payment = captured(paid, refunded_minor=given_back)

    with pytest.raises(RefundExceedsCaptured) as refused:
        payment.promise_refund(inr(wanted))

    assert refused.value.detail == reason
    left = {"amount": paid - given_back, "currency": "INR"}
    assert refused.value.details == {"refundable": left}
    assert payment.refunded == inr(given_back)


@pytest.mark.parametrize("amount", [1, 49_999, 50_000])
def test_whatever_was_paid_can_be_promised_back_down_to_a_minor_unit(amount: int) -> None:
    payment = captured()

    payment.promise_refund(inr(amount))

    assert (payment.refunded, payment.refundable) == (inr(amount), inr(50_000 - amount))
    assert payment.updated_at > LONG_AGO


def test_a_refund_is_a_command_due_at_once_and_not_tried_yet() -> None:
    payment = captured()

    refund = ReturnRefund.of_payment(payment, inr(300), reason="scratched", by=None)

    assert (refund.order_id, refund.payment_id) == (payment.order_id, payment.id)
    assert (refund.type, refund.status) == (ReturnType.REFUND, ReturnStatus.APPROVED)
    assert (refund.amount, refund.reason, refund.attempts) == (inr(300), "scratched", 0)
    assert refund.next_action_at == refund.created_at == refund.updated_at


def test_a_refund_that_was_made_keeps_its_providers_id() -> None:
    refund = ReturnRefund.of_payment(captured(), inr(300), reason="x", by=None)
    refund.updated_at = LONG_AGO

    refund.complete("re_1")

    assert (refund.status, refund.provider_refund_id) == (ReturnStatus.REFUNDED, "re_1")
    assert refund.updated_at > LONG_AGO


@pytest.mark.parametrize("kind", ReturnType)
@pytest.mark.parametrize("status", ReturnStatus)
def test_only_money_that_was_promised_and_not_given_is_due(
    kind: ReturnType, status: ReturnStatus
) -> None:
    is_due = (kind, status) == (ReturnType.REFUND, ReturnStatus.APPROVED)

    assert ReturnRefund(type=kind, status=status).is_due is is_due

"""Mails about money: what was paid, refused or given back."""

from typing import Final

from common_lib.events.orders import (
    PaymentEvent,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
)
from notification_service.services.mails.layout import House, Kinds, Notice, Values, about_order
from notification_service.services.mails.totals import bill
from notification_service.services.mails.words import (
    method_in_words,
    moment_in_words,
    one_line,
    price,
)

_COD: Final = "COD"
# For events from before the words came along; a provider's code is nothing to read.
_NOT_ACCEPTED: Final = "The payment was not accepted. Please try again or pay in another way."


def _payment_success(event: PaymentSucceeded, house: House) -> Notice:
    is_confirmed = event.order_status == "CONFIRMED"
    next_step = "Your order is confirmed, and we are getting it ready." if is_confirmed else ""
    values = {
        **_about_payment(event),
        "next_step": next_step,
        "preheader": f"{price(event.amount)} for {event.order_number}.",
    }
    return about_order("payment_success", "Payment Received ✅", event, house, values)


def _payment_failed(event: PaymentFailed, house: House) -> Notice:
    until = f" until {moment_in_words(event.pay_until)}" if event.pay_until is not None else ""
    values = {
        **_about_payment(event),
        "reason_given": one_line(event.reason_text or _NOT_ACCEPTED, 200),
        "try_again": f"Nothing is lost: we hold your items, and you can try again{until}.",
        "preheader": f"The payment for {event.order_number} did not go through.",
    }
    return about_order("payment_failed", "Payment Failed ❌", event, house, values)


def _refund_completed(event: RefundCompleted, house: House) -> Notice:
    values = {
        **_about_payment(event),
        "how_much": _how_much(event),
        "where_to": _where_to(event),
        "preheader": f"{price(event.amount)} of {event.order_number} is given back.",
    }
    subject = f"Refund of {price(event.amount)} — {event.order_number}"
    return about_order("refund_completed", subject, event, house, values)


def _how_much(event: RefundCompleted) -> str:
    """Say whether it is all; older events tell of the one amount only."""
    paid = event.paid or event.total
    refunded = event.refunded or event.amount
    if refunded.amount >= paid.amount:
        return f"All {price(paid)} that you paid is now given back."
    return f"Of the {price(paid)} that you paid, {price(refunded)} is now given back."


def _where_to(event: RefundCompleted) -> str:
    if event.method == _COD:
        return "You paid in cash; we hand it back the way we agree with you."
    return (
        f"It goes back the way you paid ({method_in_words(event.method)})."
        " Your bank may need some days to show it."
    )


def _about_payment(event: PaymentEvent) -> Values:
    return {
        **bill(event),
        "amount": price(event.amount),
        "payment_method": method_in_words(event.method),
    }


KINDS: Final[Kinds] = {
    PaymentSucceeded: _payment_success,
    PaymentFailed: _payment_failed,
    RefundCompleted: _refund_completed,
}

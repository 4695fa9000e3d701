"""Mails about money: what was paid, refused or given back."""

from typing import Final

from common_lib.events.orders import PaymentEvent, PaymentFailed, PaymentSucceeded
from notification_service.services.mails.layout import House, Kinds, Notice, Values, about_order
from notification_service.services.mails.totals import priced_lines
from notification_service.services.mails.words import method_in_words, price, reason_in_words


def _payment_success(event: PaymentSucceeded, house: House) -> Notice:
    values = {
        **about_payment(event),
        "preheader": f"{price(event.amount)} for {event.order_number}.",
    }
    return about_order("payment_success", "Payment Received ✅", event, house, values)


def _payment_failed(event: PaymentFailed, house: House) -> Notice:
    values = {
        **about_payment(event),
        "reason_given": reason_in_words(event.reason),
        "preheader": f"The payment for {event.order_number} did not go through.",
    }
    return about_order("payment_failed", "Payment Failed ❌", event, house, values)


def about_payment(event: PaymentEvent) -> Values:
    return {
        **priced_lines((), event.total),
        "amount": price(event.amount),
        "payment_method": method_in_words(event.method),
    }


KINDS: Final[Kinds] = {
    PaymentSucceeded: _payment_success,
    PaymentFailed: _payment_failed,
}

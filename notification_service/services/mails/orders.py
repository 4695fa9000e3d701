"""Mails about orders, from being placed to being brought or ended."""

from typing import Final

from common_lib.events.orders import (
    CancelledBecause,
    ConfirmedBecause,
    NextStep,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderPaymentDue,
    OrderShipped,
)
from notification_service.services.mails.layout import House, Kinds, Notice, Values, about_order
from notification_service.services.mails.totals import bill
from notification_service.services.mails.words import (
    method_in_words,
    moment_in_words,
    one_line,
    price,
    reason_in_words,
)

_COD: Final = "COD"
# What the order service writes where nobody gave a reason.
_UNSAID: Final = frozenset({"", "cancelled", "refund"})
_BY_WHOM: Final = {
    CancelledBecause.CUSTOMER: "You cancelled it",
    CancelledBecause.SHOP: "We could not carry it out",
    CancelledBecause.REFUNDED: "All that you paid is given back",
}


def _order_created(event: OrderCreated, house: House) -> Notice:
    subject = f"Order Placed — {event.order_number}"
    values = {
        **bill(event, event.lines),
        **_what_is_next(event),
        "payment_method": method_in_words(event.payment_method),
        "preheader": f"We have received your order of {price(event.total)}.",
    }
    return about_order("order_created", subject, event, house, values)


def _what_is_next(event: OrderCreated) -> Values:
    """Say what the customer has to do, if anything; older events do not tell how it is paid."""
    amount = price(event.total)
    until = moment_in_words(event.pay_until) if event.pay_until is not None else ""
    match event.next_step:
        case NextStep.PAY:
            return _step(
                "One step is left",
                f"Please pay {amount} until {until}. We hold your items until then; after that the"
                " order expires.",
                "Pay now",
            )
        case NextStep.PAYMENT_UNDER_WAY:
            return _step(
                "Thank you",
                "Your payment is being made, and we will tell you as soon as it is through. If it"
                f" does not go through, you can pay again until {until}.",
            )
        case NextStep.NOTHING_TO_PAY:
            return _step(
                "Thank you",
                "Your order is confirmed and there is nothing to pay. You will hear"
                " from us again as soon as it is on its way.",
            )
        case _ if event.payment_method == _COD:
            return _step("Thank you", f"Your order is confirmed. {_cash(amount)}")
        case _:
            return _step("Thank you", "If it is not paid yet, you can pay on the order's page.")


def _step(greeting: str, next_step: str, button: str = "View your order") -> Values:
    return {"greeting": greeting, "next_step": next_step, "button": button}


def _cash(amount: str) -> str:
    return f"Please have {amount} ready in cash when it is brought to you."


def _order_confirmed(event: OrderConfirmed, house: House) -> Notice | None:
    """Tell of cash on delivery that was chosen later.

    Else another mail has said it already: that of the order, or that of its payment.
    """
    if event.because is not ConfirmedBecause.CASH_CHOSEN:
        return None
    values = {
        **bill(event, event.lines),
        "next_step": _cash(price(event.total)),
        "preheader": f"{event.order_number} is confirmed.",
    }
    subject = f"Order Confirmed — {event.order_number}"
    return about_order("order_confirmed", subject, event, house, values)


def _payment_due(event: OrderPaymentDue, house: House) -> Notice:
    until = moment_in_words(event.pay_until)
    values = {
        **bill(event),
        "pay_until": until,
        "preheader": f"Please pay until {until}, or the order expires.",
    }
    subject = f"Your order is about to expire — {event.order_number}"
    return about_order("order_payment_due", subject, event, house, values)


def _order_shipped(event: OrderShipped, house: House) -> Notice:
    values = {
        **bill(event),
        "carrier": one_line(event.carrier or ""),
        "tracking_number": one_line(event.tracking_number or ""),
        "preheader": f"{event.order_number} has left our warehouse.",
    }
    return about_order("order_shipped", "Order Shipped 🚚", event, house, values)


def _order_delivered(event: OrderDelivered, house: House) -> Notice:
    values = {
        **bill(event, event.lines),
        "ops_address": house.ops_address,
        "preheader": f"{event.order_number} has arrived.",
    }
    return about_order("order_delivered", "Delivered 📦", event, house, values)


def _order_cancelled(event: OrderCancelled, house: House) -> Notice:
    if event.because is CancelledBecause.NOT_PAID_IN_TIME:
        return _order_expired(event, house)
    values = {
        **bill(event),
        "reason_given": _why(event),
        "money_back": _money_back(event),
        "preheader": f"{event.order_number} has been cancelled.",
    }
    return about_order("order_cancelled", "Order Cancelled", event, house, values)


def _order_expired(event: OrderCancelled, house: House) -> Notice:
    values = {**bill(event), "preheader": f"{event.order_number} was not paid in time."}
    subject = f"Order Expired — {event.order_number}"
    return about_order("order_expired", subject, event, house, values)


def _why(event: OrderCancelled) -> str:
    """Return the reason somebody gave, else who ended the order."""
    # Without a name the address is nobody's yet: what was typed is not sent there.
    is_unsaid = not event.full_name or event.reason.strip().lower() in _UNSAID
    if event.because is not None and is_unsaid:
        return _BY_WHOM.get(event.because, "Not given")
    return "Not given" if is_unsaid else reason_in_words(event.reason)


def _money_back(event: OrderCancelled) -> str:
    if event.refund is not None:
        return f"We give {price(event.refund)} back the way it was paid."
    if event.because is not None:
        return "Nothing was paid for it, so there is nothing to give back."
    return "Anything you have paid for it goes back to where it came from."


KINDS: Final[Kinds] = {
    OrderCreated: _order_created,
    OrderConfirmed: _order_confirmed,
    OrderPaymentDue: _payment_due,
    OrderShipped: _order_shipped,
    OrderDelivered: _order_delivered,
    OrderCancelled: _order_cancelled,
}

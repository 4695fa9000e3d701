"""Mails about orders."""

from typing import Final

from common_lib.events.orders import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderShipped,
)
from notification_service.services.mails.layout import House, Kinds, Notice, about_order
from notification_service.services.mails.totals import priced_lines
from notification_service.services.mails.words import (
    method_in_words,
    one_line,
    price,
    reason_in_words,
)


def _order_created(event: OrderCreated, house: House) -> Notice:
    subject = f"Order Placed — {event.order_number}"
    values = {
        **priced_lines(event.lines, event.total),
        "payment_method": method_in_words(event.payment_method),
        "preheader": f"We have received your order of {price(event.total)}.",
    }
    return about_order("order_created", subject, event, house, values)


def _order_shipped(event: OrderShipped, house: House) -> Notice:
    values = {
        **priced_lines((), event.total),
        "carrier": one_line(event.carrier or ""),
        "tracking_number": one_line(event.tracking_number or ""),
        "preheader": f"{event.order_number} has left our warehouse.",
    }
    return about_order("order_shipped", "Order Shipped 🚚", event, house, values)


def _order_delivered(event: OrderDelivered, house: House) -> Notice:
    values = {
        **priced_lines(event.lines, event.total),
        "preheader": f"{event.order_number} has arrived.",
    }
    return about_order("order_delivered", "Delivered 📦", event, house, values)


def _order_cancelled(event: OrderCancelled, house: House) -> Notice:
    values = {
        **priced_lines((), event.total),
        "reason_given": reason_in_words(event.reason),
        "preheader": f"{event.order_number} has been cancelled.",
    }
    return about_order("order_cancelled", "Order Cancelled", event, house, values)


KINDS: Final[Kinds] = {
    OrderCreated: _order_created,
    OrderShipped: _order_shipped,
    OrderDelivered: _order_delivered,
    OrderCancelled: _order_cancelled,
}

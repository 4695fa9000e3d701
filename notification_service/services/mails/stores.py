"""Mails to those who sell: decisions on their store, and orders that hold its goods."""

from typing import Final

from common_lib.events.catalog import (
    StoreApproved,
    StoreEvent,
    StoreOrderCancelled,
    StoreOrderEvent,
    StoreOrderReceived,
    StoreReinstated,
    StoreRejected,
    StoreSuspended,
)
from notification_service.services.mails.layout import (
    House,
    Kinds,
    Notice,
    Values,
    about_member,
)
from notification_service.services.mails.totals import items
from notification_service.services.mails.words import one_line, price


def _approved(event: StoreApproved, house: House) -> Notice:
    return _decision("store_approved", "Your store is open 🎉", event, house)


def _rejected(event: StoreRejected, house: House) -> Notice:
    return _decision("store_rejected", "About your application for a store", event, house)


def _suspended(event: StoreSuspended, house: House) -> Notice:
    return _decision("store_suspended", "Your store is closed for now", event, house)


def _reinstated(event: StoreReinstated, house: House) -> Notice:
    return _decision("store_reinstated", "Your store is open again", event, house)


def _order_received(event: StoreOrderReceived, house: House) -> Notice:
    preheader = f"{price(event.total)} of your goods, to be sent."
    subject = f"New order — {event.order_number}"
    return _order("store_order_received", subject, event, house, preheader)


def _order_cancelled(event: StoreOrderCancelled, house: House) -> Notice:
    preheader = f"{event.order_number} is not to be sent any more."
    subject = f"Order cancelled, do not send — {event.order_number}"
    return _order("store_order_cancelled", subject, event, house, preheader)


def _decision(template: str, subject: str, event: StoreEvent, house: House) -> Notice:
    values = {
        **_about(event),
        "ops_address": house.ops_address,
        "preheader": f"News about {one_line(event.store_name)}.",
    }
    return about_member(template, subject, event, house, values)


def _order(
    template: str, subject: str, event: StoreOrderEvent, house: House, preheader: str
) -> Notice:
    values = {
        **_about(event),
        "order_number": one_line(event.order_number),
        "order_url": f"{house.storefront_url}/orders/{event.order_id}",
        "lines": items(event.lines),
        "total": price(event.total),
        "preheader": preheader,
    }
    return about_member(template, subject, event, house, values, order_id=event.order_id)


def _about(event: StoreEvent) -> Values:
    store = one_line(event.store_name)
    return {"store": store, "reason": f"You get this mail because {store} is your store."}


KINDS: Final[Kinds] = {
    StoreApproved: _approved,
    StoreRejected: _rejected,
    StoreSuspended: _suspended,
    StoreReinstated: _reinstated,
    StoreOrderReceived: _order_received,
    StoreOrderCancelled: _order_cancelled,
}

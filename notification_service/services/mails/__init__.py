"""Which event becomes which mail, and which make none and why."""

from collections.abc import Mapping
from typing import Final

from common_lib.events import Event
from common_lib.events.catalog import (
    BackInStock,
    OutOfStockReached,
    ProductCreated,
    ProductUpdated,
)
from common_lib.events.orders import RefundInitiated
from common_lib.events.users import UserDeleted, UserVerified
from notification_service.services.mails import (
    accounts,
    money,
    orders,
    reviews,
    stock,
    stores,
)
from notification_service.services.mails.layout import House, Kinds, Notice, load_templates

__all__ = ["KINDS", "SILENT", "House", "Notice", "compose", "load_templates"]

KINDS: Final[Kinds] = {
    **orders.KINDS,
    **money.KINDS,
    **accounts.KINDS,
    **stores.KINDS,
    **reviews.KINDS,
    **stock.KINDS,
}
SILENT: Final[Mapping[type[Event], str]] = {
    RefundInitiated: "the mail of REFUND_COMPLETED follows as soon as the money is on its way",
    UserVerified: "the reader has just seen it happen on the page behind the link",
    UserDeleted: "there is nobody left to write to",
    OutOfStockReached: "LOW_STOCK_ALERT has warned of it; the list of low stock shows it",
    BackInStock: "nobody has asked to be told",
    ProductCreated: "whoever created it was answered",
    ProductUpdated: "whoever changed it was answered",
}


def compose(event: Event, house: House) -> Notice | None:
    """Return the mail an event calls for; None for the events nobody is written to about."""
    kind = KINDS.get(type(event))
    return kind(event, house) if kind is not None else None

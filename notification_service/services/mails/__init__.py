"""Which event becomes which mail."""

from typing import Final

from common_lib.events import Event
from notification_service.services.mails import accounts, money, orders, stock
from notification_service.services.mails.layout import House, Kinds, Notice, load_templates

__all__ = ["House", "Notice", "compose", "load_templates"]

KINDS: Final[Kinds] = {**orders.KINDS, **money.KINDS, **accounts.KINDS, **stock.KINDS}


def compose(event: Event, house: House) -> Notice | None:
    """Return the mail an event calls for; None for the events nobody is written to about."""
    kind = KINDS.get(type(event))
    return kind(event, house) if kind is not None else None

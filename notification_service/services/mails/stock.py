"""Mails about stock."""

from typing import Final

from common_lib.events.catalog import LowStockReached
from notification_service.services.mails.layout import House, Kinds, Notice, make_mail
from notification_service.services.mails.words import one_line


def _low_stock(event: LowStockReached, house: House) -> Notice:
    name = one_line(event.name)
    values = {
        "product": name,
        "sku": one_line(event.sku),
        "available": event.available,
        "reorder_level": event.reorder_level,
        "variant_id": str(event.variant_id),
        "preheader": f"{event.available} left of {name}.",
        "reason": "You get this mail because you look after the stock.",
    }
    return Notice(
        make_mail("low_stock_alert", "⚠️ Low Stock Alert", house.ops_address, house, values)
    )


KINDS: Final[Kinds] = {LowStockReached: _low_stock}

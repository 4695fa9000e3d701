"""What an order costs, line by line, as mails show it."""

from collections.abc import Sequence

from common_lib.events.orders import OrderLine
from common_lib.money import Money, total
from notification_service.services.mails.layout import Values
from notification_service.services.mails.words import one_line, price, price_of


def priced_lines(lines: Sequence[OrderLine], order_total: Money) -> Values:
    subtotal = total((line.line_total for line in lines), order_total.currency)
    difference = order_total.amount - subtotal.amount if lines else 0
    return {
        "lines": [_line(line) for line in lines],
        "subtotal": price(subtotal),
        "adjustment": price_of(difference, order_total.currency) if difference else "",
        "total": price(order_total),
    }


def _line(line: OrderLine) -> Values:
    return {
        "name": one_line(line.name, 200),
        "sku": one_line(line.sku),
        "quantity": line.quantity,
        "unit_price": price(line.unit_price),
        "line_total": price(line.line_total),
    }

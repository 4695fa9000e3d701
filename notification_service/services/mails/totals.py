"""What an order costs, line by line, as mails show it."""

from collections.abc import Sequence

from common_lib.events.orders import OrderAmounts, OrderEvent, OrderLine
from common_lib.money import Money, total
from notification_service.services.mails.layout import Values
from notification_service.services.mails.words import one_line, price, price_of


def bill(event: OrderEvent, lines: Sequence[OrderLine] = ()) -> Values:
    """Return the lines and what the total is made of, each on a line of its own.

    An event from before amounts were told has its total, and the difference to its lines.
    """
    amounts = event.amounts
    rows = _rows(amounts) if amounts is not None else _difference(lines, event.total)
    return {
        "lines": items(lines),
        "rows": [{"label": label, "amount": amount} for label, amount in rows],
        "total": price(event.total),
    }


def items(lines: Sequence[OrderLine]) -> list[Values]:
    return [
        {
            "name": one_line(line.name, 200),
            "sku": one_line(line.sku),
            "quantity": line.quantity,
            "unit_price": price(line.unit_price),
            "line_total": price(line.line_total),
        }
        for line in lines
    ]


def _rows(amounts: OrderAmounts) -> list[tuple[str, str]]:
    rows = [("Items", price(amounts.subtotal))]
    if amounts.discount.amount:
        code = f" ({one_line(amounts.coupon_code, 32)})" if amounts.coupon_code else ""
        off = price_of(-amounts.discount.amount, amounts.discount.currency)
        rows.append((f"Discount{code}", off))
    rows.append(("Delivery", price(amounts.shipping) if amounts.shipping.amount else "Free"))
    if amounts.tax.amount:
        label = "Tax, included in the prices" if amounts.is_tax_included else "Tax"
        rows.append((label, price(amounts.tax)))
    return rows


def _difference(lines: Sequence[OrderLine], order_total: Money) -> list[tuple[str, str]]:
    if not lines:
        return []
    subtotal = total((line.line_total for line in lines), order_total.currency)
    rest = order_total.amount - subtotal.amount
    if not rest:
        return []
    return [
        ("Items", price(subtotal)),
        ("Delivery, taxes and discounts", price_of(rest, order_total.currency)),
    ]

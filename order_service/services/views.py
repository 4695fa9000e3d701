"""Orders as each reader may see them: the buyer and the shop whole, a seller the own part.

What is derived is derived from the own lines alone, and of the buyer a seller sees what a parcel
needs, from when it is to be sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from common_lib.clock import rfc3339
from order_service.models import SELLER_MOVES, StatusChange
from order_service.models.consequences import moves_from
from order_service.models.records import ItemRecord, OrderDetail
from order_service.schemas.enums import Action, OrderStatus
from order_service.services.shapes import (
    Document,
    item_document,
    money,
    order_document,
    order_payment,
)

_ACTIONS: Final[Mapping[OrderStatus, Action]] = {
    OrderStatus.CONFIRMED: Action.CONFIRM,
    OrderStatus.PROCESSING: Action.PROCESS,
    OrderStatus.SHIPPED: Action.SHIP,
    OrderStatus.DELIVERED: Action.DELIVER,
    OrderStatus.CANCELLED: Action.CANCEL,
    OrderStatus.REFUNDED: Action.REFUND,
}
_TO_BE_BROUGHT: Final = frozenset(
    {OrderStatus.CONFIRMED, OrderStatus.PROCESSING, OrderStatus.SHIPPED, OrderStatus.DELIVERED}
)
# What a label needs; beyond it, where goods were supplied decides their tax.
_FOR_THE_LABEL: Final = (
    "fullName",
    "phone",
    "addressLine1",
    "addressLine2",
    "city",
    "state",
    "pincode",
    "country",
)
_FOR_THE_TAX: Final = ("state", "pincode", "country")


class Viewer(StrEnum):
    BUYER = "buyer"
    SHOP = "shop"
    SELLER = "seller"


@dataclass(frozen=True, slots=True)
class Seen:
    """An order with who reads it; `store_id` is the seller's."""

    detail: OrderDetail
    viewer: Viewer
    reader_id: UUID
    store_id: UUID | None = None
    own: tuple[ItemRecord, ...] = field(init=False)

    def __post_init__(self) -> None:
        items = self.detail.items
        if self.viewer is Viewer.SELLER:
            items = tuple(item for item in items if item.seller_id == self.store_id)
        object.__setattr__(self, "own", items)

    @property
    def is_whole(self) -> bool:
        """Whether all the goods are the reader's, or the reader may see them all."""
        return len(self.own) == len(self.detail.items)


def document(seen: Seen) -> Document:
    """Return the Order of the API as its reader may see it."""
    if seen.viewer is Viewer.BUYER:
        return order_document(seen.detail)
    if seen.viewer is Viewer.SHOP:
        return order_document(seen.detail, _shop_actions(seen.detail))
    return _own_part(seen)


def timeline(seen: Seen, changes: Sequence[StatusChange]) -> Document:
    """Return an order's history; a seller is not told who else did what in which words."""
    return {"items": [_step(seen, change) for change in changes]}


def _own_part(seen: Seen) -> Document:
    detail = seen.detail
    order, payment = detail.order, detail.payment
    shown = order_payment(payment, is_payable=False) if payment and seen.is_whole else None
    return order_document(detail, _seller_actions(seen)) | {
        **_amounts(seen),
        "userId": None,
        "items": [item_document(item, order.currency) for item in seen.own],
        "couponCode": None,
        "shippingAddress": _address(order.status, order.shipping_address),
        "notes": order.notes if order.status in _TO_BE_BROUGHT else None,
        "payment": shown,
        "expiresAt": None,
    }


def _amounts(seen: Seen) -> Document:
    """Add the own lines up; delivery is a seller's where nobody else's goods come along."""
    order, own = seen.detail.order, seen.own
    subtotal = sum(item.line_total_minor for item in own)
    discount = sum(item.discount_minor for item in own)
    tax = sum(item.tax_minor for item in own)
    shipping = order.shipping_minor if seen.is_whole else 0
    total = subtotal - discount + shipping + (0 if order.is_tax_included else tax)
    amounts = {
        "subtotal": subtotal,
        "discount": discount,
        "tax": tax,
        "shipping": shipping,
        "total": total,
    }
    return {name: money(amount, order.currency) for name, amount in amounts.items()}


def _address(status: OrderStatus, address: Mapping[str, Any]) -> Document:
    wanted = _FOR_THE_LABEL if status in _TO_BE_BROUGHT else _FOR_THE_TAX
    return {name: address[name] for name in wanted if name in address}


def _shop_actions(detail: OrderDetail) -> list[Action]:
    pay = [Action.PAY] if detail.is_payable else []
    return [*pay, *_moves(detail, frozenset(OrderStatus))]


def _seller_actions(seen: Seen) -> list[Action]:
    return _moves(seen.detail, SELLER_MOVES) if seen.is_whole else []


def _moves(detail: OrderDetail, rights: frozenset[OrderStatus]) -> list[Action]:
    possible = moves_from(detail.order.status, holds_money=detail.holds_money) & rights
    return [action for status, action in _ACTIONS.items() if status in possible]


def _step(seen: Seen, change: StatusChange) -> Document:
    return {
        "from": change.from_status.value if change.from_status else None,
        "to": change.to_status.value,
        "changedBy": _who(seen, change.changed_by),
        "note": change.note if _may_read_note(seen, change) else None,
        "at": rfc3339(change.created_at),
    }


def _who(seen: Seen, changed_by: UUID | None) -> str:
    if changed_by is None:
        return "system"
    if seen.viewer is not Viewer.SELLER or changed_by == seen.reader_id:
        return str(changed_by)
    return "customer" if changed_by == seen.detail.order.user_id else "shop"


def _may_read_note(seen: Seen, change: StatusChange) -> bool:
    if seen.viewer is not Viewer.SELLER or change.changed_by == seen.reader_id:
        return True
    return change.changed_by is None and seen.is_whole

"""What is held about one person in orders and in the cart, for an export."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from common_lib.clock import rfc3339
from common_lib.database import Database
from order_service.models import Payment, ReturnRefund, Shipment, StatusChange
from order_service.models.records import OrderDetail
from order_service.queries import orders as orders_sql
from order_service.queries import people
from order_service.queries.orders import OrderFilter
from order_service.services.carts import Carts
from order_service.services.shapes import Document, order_document, payment_document

T = TypeVar("T", Payment, ReturnRefund, Shipment, StatusChange)
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class _Beside:
    """What belongs to some orders, by order."""

    payments: Mapping[UUID, Sequence[Payment]]
    returns: Mapping[UUID, Sequence[ReturnRefund]]
    shipments: Mapping[UUID, Sequence[Shipment]]
    changes: Mapping[UUID, Sequence[StatusChange]]


async def held_orders(database: Database, user_id: UUID, after: UUID | None) -> Document:
    """Return a page of the user's orders with all that belongs to them, the newest first."""
    details = await orders_sql.list_details(database, OrderFilter(user_id, None, after, PAGE))
    beside = await _beside(database, [detail.order.id for detail in details])
    following = str(details[-1].order.id) if len(details) == PAGE else None
    return {"items": [_order(detail, beside) for detail in details], "nextAfter": following}


async def held_cart(carts: Carts, user_id: UUID) -> Document:
    """Return the lines of the user's cart. Raises CartUnavailable."""
    content = await carts.content(user_id)
    lines = [{"variantId": str(each.variant_id), "quantity": each.quantity} for each in content]
    return {"items": lines, "nextAfter": None}


async def _beside(database: Database, ids: Sequence[UUID]) -> _Beside:
    async with database.read_own_writes() as session:
        return _Beside(
            _by_order(await people.payments_of(session, ids)),
            _by_order(await people.returns_of(session, ids)),
            _by_order(await people.shipments_of(session, ids)),
            _by_order(await people.changes_of(session, ids)),
        )


def _by_order(rows: Iterable[T]) -> Mapping[UUID, Sequence[T]]:
    found: dict[UUID, list[T]] = defaultdict(list)
    for row in rows:
        found[row.order_id].append(row)
    return found


def _order(detail: OrderDetail, beside: _Beside) -> Document:
    order = detail.order
    return {
        **order_document(detail),
        "email": order.email,
        "fullName": order.full_name,
        "payments": [
            payment_document(payment, is_payable=detail.is_payable)
            for payment in beside.payments.get(order.id, ())
        ],
        "returns": _each(_return, beside.returns.get(order.id)),
        "shipments": _each(_shipment, beside.shipments.get(order.id)),
        "timeline": _each(_change, beside.changes.get(order.id)),
    }


def _each(shape: Callable[[T], Document], rows: Sequence[T] | None) -> list[Document]:
    return [shape(row) for row in rows or ()]


def _return(row: ReturnRefund) -> Document:
    return {
        "id": str(row.id),
        "type": row.type.value,
        "status": row.status.value,
        "amount": row.amount.model_dump(),
        "reason": row.reason,
        "createdAt": rfc3339(row.created_at),
    }


def _shipment(row: Shipment) -> Document:
    return {
        "id": str(row.id),
        "status": row.status.value,
        "carrier": row.carrier,
        "trackingNumber": row.tracking_number,
        "shippedAt": rfc3339(row.shipped_at) if row.shipped_at else None,
        "deliveredAt": rfc3339(row.delivered_at) if row.delivered_at else None,
    }


def _change(row: StatusChange) -> Document:
    return {
        "from": row.from_status.value if row.from_status else None,
        "to": row.to_status.value,
        "note": row.note,
        "at": rfc3339(row.created_at),
    }

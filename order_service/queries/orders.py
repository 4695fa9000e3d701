"""Reading orders, and locking one to move it.

An order's id carries its month, so every read by id names the partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from common_lib.database import AnySession, Database, WriteSession, to_column
from common_lib.ids import created_at
from order_service.models import Order, OrderItem, Payment, Shipment, StatusChange, UnpaidOrder
from order_service.models.records import (
    ItemRecord,
    OrderDetail,
    OrderRecord,
    PaymentRecord,
)
from order_service.queries.driver import Row, Statement, fetch_all, one_of
from order_service.queries.placing import aware
from order_service.schemas.enums import (
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
    ShipmentStatus,
)

_ORDER_COLUMNS: Final = (
    "id, created_at, order_number, user_id, email, full_name, status, reservation_id,"
    " payment_method, currency, subtotal_minor, discount_minor, tax_minor, is_tax_included,"
    " shipping_minor, total_minor, coupon_code, shipping_address, notes, version"
)
_ITEM_COLUMNS: Final = (
    "id, order_id, line_no, variant_id, product_id, seller_id, sku, name, quantity,"
    " unit_price_minor, line_total_minor, discount_minor, tax_minor"
)
_PAYMENT_COLUMNS: Final = (
    "id, order_id, attempt, method, status, phase, provider, currency, amount_minor,"
    " captured_minor, refunded_minor, failure_code, next_action_at, created_at"
)
_SELECT_ORDER: Final = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE id = %s AND created_at = %s"  # noqa: S608 - constants
_SELECT_ITEMS: Final = f"SELECT {_ITEM_COLUMNS} FROM order_items WHERE order_id IN"  # noqa: S608 - constants
_SELECT_DUE: Final = "SELECT order_id, due_at FROM unpaid_orders WHERE order_id IN"
_SELECT_PAYMENTS: Final = f"SELECT {_PAYMENT_COLUMNS} FROM payments WHERE order_id IN"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a list shows; newest first, after the one named by `before_id`.

    `created_from` is the first moment that counts, `created_to` the first that does not any more.
    """

    user_id: UUID | None
    status: OrderStatus | None
    before_id: UUID | None
    limit: int
    created_from: datetime | None = None
    created_to: datetime | None = None
    store_id: UUID | None = None


def month_of(order_id: UUID) -> datetime | None:
    """Return the moment in an order's id; None for an id that no order can have."""
    try:
        return created_at(order_id)
    except (ValueError, OverflowError, OSError):
        return None


async def detail_of(database: Database, order_id: UUID) -> OrderDetail | None:
    """Read an order with its lines and latest payment, in one round trip to one partition."""
    moment = month_of(order_id)
    if moment is None:
        return None
    raw = order_id.bytes
    statements = [
        Statement("order", _SELECT_ORDER, (raw, to_column(moment))),
        one_of("items", _SELECT_ITEMS, (raw,)),
        one_of("payments", _SELECT_PAYMENTS, (raw,)),
        one_of("due", _SELECT_DUE, (raw,)),
    ]
    async with database.driver() as connection:
        orders, items, payments, due = await fetch_all(connection, statements)
    return next(iter(_details(orders, items, payments, due)), None)


async def list_details(database: Database, wanted: OrderFilter) -> list[OrderDetail]:
    """Read a page of orders: one statement for the orders, two for what belongs to them all."""
    sql, values = page_sql(wanted)
    async with database.driver() as connection:
        (orders,) = await fetch_all(connection, [Statement("orders", sql, values)])
        if not orders:
            return []
        ids = tuple(bytes(row[0]) for row in orders)
        items, payments, due = await fetch_all(
            connection,
            [
                one_of("items", _SELECT_ITEMS, ids),
                one_of("payments", _SELECT_PAYMENTS, ids),
                one_of("due", _SELECT_DUE, ids),
            ],
        )
    return _details(orders, items, payments, due)


async def timeline_of(database: Database, order_id: UUID) -> Sequence[StatusChange]:
    async with database.read_own_writes() as session:
        changes = await session.scalars(
            sa.select(StatusChange)
            .where(StatusChange.order_id == order_id)
            .order_by(StatusChange.order_version)
        )
        return changes.all()


async def lock_order(session: WriteSession, order_id: UUID) -> Order | None:
    """Lock an order's row; take this lock before those of its payments."""
    moment = month_of(order_id)
    if moment is None:
        return None
    found = await session.scalars(
        sa.select(Order).where(Order.id == order_id, Order.created_at == moment).with_for_update()
    )
    return found.one_or_none()


async def items_of(session: AnySession, order_id: UUID) -> Sequence[OrderItem]:
    found = await session.scalars(
        sa.select(OrderItem).where(OrderItem.order_id == order_id).order_by(OrderItem.line_no)
    )
    return found.all()


async def lock_payments(session: WriteSession, order_id: UUID) -> Sequence[Payment]:
    """Lock all payments of an order, oldest first; the order's own row is locked before."""
    found = await session.scalars(
        sa.select(Payment)
        .where(Payment.order_id == order_id)
        .order_by(Payment.attempt)
        .with_for_update()
    )
    return found.all()


async def free_slot(session: WriteSession, order_id: UUID) -> None:
    """Give the customer's slot for an open unpaid order back; without one, nothing happens."""
    await session.execute(sa.delete(UnpaidOrder).where(UnpaidOrder.order_id == order_id))


async def due_at_of(session: AnySession, order_id: UUID) -> datetime | None:
    """Return until when an unpaid order is kept; None for one that is not to be paid any more."""
    due_at: datetime | None = await session.scalar(
        sa.select(UnpaidOrder.due_at).where(UnpaidOrder.order_id == order_id)
    )
    return due_at


async def overdue_orders(database: Database, at: datetime, limit: int) -> Sequence[UUID]:
    """Return the orders whose time to be paid is over, oldest first."""
    async with database.read_own_writes() as session:
        found = await session.scalars(
            sa.select(UnpaidOrder.order_id)
            .where(UnpaidOrder.due_at <= at)
            .order_by(UnpaidOrder.due_at)
            .limit(limit)
        )
        return found.all()


async def orders_to_remind_of(
    database: Database, at: datetime, due_before: datetime, limit: int
) -> Sequence[UUID]:
    """Return the open orders that are due soon and whose customer was not told yet."""
    async with database.read_own_writes() as session:
        found = await session.scalars(
            sa.select(UnpaidOrder.order_id)
            .where(
                UnpaidOrder.due_at > at,
                UnpaidOrder.due_at <= due_before,
                UnpaidOrder.reminded_at.is_(None),
            )
            .order_by(UnpaidOrder.due_at)
            .limit(limit)
        )
        return found.all()


async def lock_slot(session: WriteSession, order_id: UUID) -> UnpaidOrder | None:
    """Lock an unpaid order's slot; the order and its payments are locked before."""
    found = await session.scalars(
        sa.select(UnpaidOrder).where(UnpaidOrder.order_id == order_id).with_for_update()
    )
    return found.one_or_none()


async def shipment_under_way(session: WriteSession, order_id: UUID) -> Shipment | None:
    found = await session.scalars(
        sa.select(Shipment)
        .where(Shipment.order_id == order_id, Shipment.status != ShipmentStatus.DELIVERED)
        .with_for_update()
        .limit(1)
    )
    return found.one_or_none()


def page_sql(wanted: OrderFilter) -> tuple[str, tuple[Any, ...]]:
    """Return the statement that reads a page of orders, and its values."""
    if wanted.store_id is not None:
        return _store_page_sql(wanted, wanted.store_id)
    conditions, values = _conditions(wanted)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT {_ORDER_COLUMNS} FROM orders o{where} ORDER BY id DESC LIMIT %s"  # noqa: S608 - our words only
    return sql, (*values, wanted.limit)


def _store_page_sql(wanted: OrderFilter, store_id: UUID) -> tuple[str, tuple[Any, ...]]:
    """Walk the index of a store's lines backwards until enough orders fit; no sorting, one read.

    The lines come first (STRAIGHT_JOIN): a store has few of all orders of a status.
    """
    conditions, values = _conditions(wanted, id_column="i.order_id")
    where = " AND ".join(["i.seller_id = %s", *conditions])
    page = (
        "SELECT i.order_id FROM order_items i STRAIGHT_JOIN orders o ON o.id = i.order_id"  # noqa: S608 - our words only
        f" WHERE {where} GROUP BY i.order_id ORDER BY i.order_id DESC LIMIT %s"
    )
    columns = ", ".join(f"o.{name.strip()}" for name in _ORDER_COLUMNS.split(","))
    sql = (
        f"SELECT {columns} FROM ({page}) p JOIN orders o ON o.id = p.order_id"  # noqa: S608 - our words only
        " ORDER BY o.id DESC"
    )
    return sql, (store_id.bytes, *values, wanted.limit)


def _conditions(wanted: OrderFilter, *, id_column: str = "o.id") -> tuple[list[str], list[Any]]:
    """Return the conditions and their values; bounds of time prune partitions, too."""
    conditions: list[str] = []
    values: list[Any] = []

    def need(condition: str, *given: Any) -> None:
        conditions.append(condition)
        values.extend(given)

    if wanted.user_id is not None:
        need("o.user_id = %s", wanted.user_id.bytes)
    if wanted.status is not None:
        need("o.status = %s", wanted.status.value)
    moment = month_of(wanted.before_id) if wanted.before_id else None
    if wanted.before_id is not None and moment is not None:
        need(f"{id_column} < %s AND o.created_at <= %s", wanted.before_id.bytes, to_column(moment))
    if wanted.created_from is not None:
        need("o.created_at >= %s", to_column(wanted.created_from.astimezone(UTC)))
    if wanted.created_to is not None:
        need("o.created_at < %s", to_column(wanted.created_to.astimezone(UTC)))
    return conditions, values


def _details(
    orders: Sequence[Row], items: Sequence[Row], payments: Sequence[Row], due: Sequence[Row]
) -> list[OrderDetail]:
    lines: dict[UUID, list[ItemRecord]] = {}
    for item in sorted(map(_item, items), key=lambda item: item.line_no):
        lines.setdefault(item.order_id, []).append(item)
    paid: dict[UUID, list[PaymentRecord]] = {}
    for payment in sorted(map(payment_record, payments), key=lambda payment: payment.attempt):
        paid.setdefault(payment.order_id, []).append(payment)
    until = {UUID(bytes=bytes(row[0])): aware(row[1]) for row in due}
    return [
        _detail(order, lines.get(order.id, ()), paid.get(order.id, ()), until.get(order.id))
        for order in map(_order, orders)
    ]


def _detail(
    order: OrderRecord,
    lines: Sequence[ItemRecord],
    payments: Sequence[PaymentRecord],
    due_at: datetime | None,
) -> OrderDetail:
    latest = payments[-1] if payments else None
    return OrderDetail(order, tuple(lines), latest, due_at, tuple(payments[:-1]))


def _order(row: Row) -> OrderRecord:
    return OrderRecord(
        UUID(bytes=bytes(row[0])),
        aware(row[1]),
        row[2],
        UUID(bytes=bytes(row[3])),
        row[4],
        row[5],
        OrderStatus(row[6]),
        UUID(bytes=bytes(row[7])),
        PaymentMethod(row[8]),
        row[9],
        row[10],
        row[11],
        row[12],
        bool(row[13]),
        row[14],
        row[15],
        row[16],
        orjson.loads(row[17]),
        row[18],
        row[19],
    )


def _item(row: Row) -> ItemRecord:
    return ItemRecord(
        UUID(bytes=bytes(row[0])),
        UUID(bytes=bytes(row[1])),
        row[2],
        UUID(bytes=bytes(row[3])),
        UUID(bytes=bytes(row[4])),
        UUID(bytes=bytes(row[5])) if row[5] else None,
        *row[6:13],
    )


def payment_record(row: Row) -> PaymentRecord:
    return PaymentRecord(
        UUID(bytes=bytes(row[0])),
        UUID(bytes=bytes(row[1])),
        row[2],
        PaymentMethod(row[3]),
        PaymentStatus(row[4]),
        PaymentPhase(row[5]),
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        row[11],
        aware(row[12]) if row[12] else None,
        aware(row[13]),
    )

"""What TX2 writes, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from common_lib.clock import now
from common_lib.database import to_column
from common_lib.events import Event
from common_lib.idempotency import KeyState
from common_lib.ids import new_id
from common_lib.outbox import INSERT_OUTBOX, OutboxValues, outbox_values
from order_service.models.records import ItemRecord, OrderRecord, PaymentRecord
from order_service.queries.driver import Row, Statement, many
from order_service.schemas.enums import OrderStatus

SCOPE: Final = "order"
SOURCE: Final = "order-service"
"""The source of this service's events, and the name its relay is woken by."""

INSERT_KEY: Final = (
    "INSERT INTO idempotency_keys (user_id, scope, idempotency_key, fingerprint, state,"
    " subject_id, response_status, response_body, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_INSERT_NUMBER: Final = "INSERT INTO order_numbers (order_number, order_id) VALUES (%s, %s)"
_INSERT_SLOT: Final = (
    "INSERT INTO unpaid_orders (user_id, slot, order_id, due_at) VALUES (%s, %s, %s, %s)"
)
_INSERT_REDEMPTION: Final = (
    "INSERT INTO coupon_redemptions (coupon_id, user_id, n, order_id, created_at)"
    " VALUES (%s, %s, %s, %s, %s)"
)
_INSERT_ORDER: Final = (
    "INSERT INTO orders (id, created_at, order_number, user_id, email, full_name, status,"
    " reservation_id, idempotency_key, payment_method, currency, subtotal_minor, discount_minor,"
    " tax_minor, is_tax_included, shipping_minor, total_minor, coupon_code, shipping_address,"
    " notes, version, updated_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
    " %s, %s)"
)
_INSERT_ITEMS: Final = (
    "INSERT INTO order_items (id, order_id, line_no, variant_id, product_id, seller_id, sku,"
    " name, quantity, unit_price_minor, line_total_minor, discount_minor, tax_minor)"
)
_INSERT_HISTORY: Final = (
    "INSERT INTO order_status_history (id, order_id, order_version, from_status, to_status,"
    " changed_by, note, created_at)"
)
_INSERT_PAYMENT: Final = (
    "INSERT INTO payments (id, order_id, attempt, method, status, phase, provider,"
    " provider_token, currency, amount_minor, captured_minor, refunded_minor, checks,"
    " next_action_at, created_at, updated_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s)"
)
_INSERT_OUTBOX_ROWS: Final = INSERT_OUTBOX.partition(" VALUES ")[0]
_USE_COUPON: Final = (
    "UPDATE coupons SET used_count = used_count + 1"
    " WHERE id = %s AND is_active AND (usage_limit IS NULL OR used_count < usage_limit)"
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything TX2 writes; `events` are in the order they happened."""

    order: OrderRecord
    items: Sequence[ItemRecord]
    history: Sequence[tuple[OrderStatus | None, OrderStatus]]
    payment: PaymentRecord
    payment_token: str | None
    events: Sequence[Event]
    idempotency_key: str
    fingerprint: bytes
    response_status: int
    response_body: bytes
    slot: int | None
    due_at: datetime | None
    coupon_id: UUID | None
    coupon_use: int | None


def statements(decision: Decision) -> list[Statement]:
    """Return the statements of TX2 in their order; the first decides, the last is the hottest."""
    order, moment = decision.order, to_column(now())
    statements = [
        Statement("key", INSERT_KEY, _key_values(decision, moment)),
        Statement("number", _INSERT_NUMBER, (order.order_number, order.id.bytes)),
    ]
    if decision.slot is not None and decision.due_at is not None:
        values = (order.user_id.bytes, decision.slot, order.id.bytes, to_column(decision.due_at))
        statements.append(Statement("slot", _INSERT_SLOT, values))
    if decision.coupon_id is not None:
        use = (decision.coupon_id.bytes, order.user_id.bytes, decision.coupon_use)
        statements.append(
            Statement("redemption", _INSERT_REDEMPTION, (*use, order.id.bytes, moment))
        )
    statements += [
        Statement("order", _INSERT_ORDER, _order_values(decision, moment)),
        many("items", _INSERT_ITEMS, 13, [_item_values(item) for item in decision.items]),
        many("history", _INSERT_HISTORY, 8, _history_rows(decision, moment)),
        Statement("payment", _INSERT_PAYMENT, _payment_values(decision)),
        many("outbox", _INSERT_OUTBOX_ROWS, 9, _outbox_rows(decision)),
    ]
    if decision.coupon_id is not None:
        statements.append(Statement("coupon", _USE_COUPON, (decision.coupon_id.bytes,)))
    return statements


def _key_values(decision: Decision, moment: datetime) -> Row:
    return (
        decision.order.user_id.bytes,
        SCOPE,
        decision.idempotency_key,
        decision.fingerprint,
        KeyState.PLACED.value,
        decision.order.id.bytes,
        decision.response_status,
        decision.response_body,
        moment,
    )


def _order_values(decision: Decision, moment: datetime) -> Row:
    order = decision.order
    return (
        order.id.bytes,
        to_column(order.created_at),
        order.order_number,
        order.user_id.bytes,
        order.email,
        order.full_name,
        order.status.value,
        order.reservation_id.bytes,
        decision.idempotency_key,
        order.payment_method.value,
        order.currency,
        order.subtotal_minor,
        order.discount_minor,
        order.tax_minor,
        int(order.is_tax_included),
        order.shipping_minor,
        order.total_minor,
        order.coupon_code,
        orjson.dumps(order.shipping_address).decode(),
        order.notes,
        order.version,
        moment,
    )


def _item_values(item: ItemRecord) -> Row:
    return (
        item.id.bytes,
        item.order_id.bytes,
        item.line_no,
        item.variant_id.bytes,
        item.product_id.bytes,
        item.seller_id.bytes if item.seller_id else None,
        item.sku,
        item.name,
        item.quantity,
        item.unit_price_minor,
        item.line_total_minor,
        item.discount_minor,
        item.tax_minor,
    )


def _history_rows(decision: Decision, moment: datetime) -> list[Row]:
    order_id = decision.order.id.bytes
    return [
        (
            new_id().bytes,
            order_id,
            version,
            before.value if before else None,
            after.value,
            decision.order.user_id.bytes if before is None else None,
            None,
            moment,
        )
        for version, (before, after) in enumerate(decision.history, start=1)
    ]


def _payment_values(decision: Decision) -> Row:
    payment = decision.payment
    due, moment = payment.next_action_at, to_column(payment.created_at)
    return (
        payment.id.bytes,
        payment.order_id.bytes,
        payment.attempt,
        payment.method.value,
        payment.status.value,
        payment.phase.value,
        payment.provider,
        decision.payment_token,
        payment.currency,
        payment.amount_minor,
        payment.captured_minor,
        to_column(due) if due else None,
        moment,
        moment,
    )


def _outbox_rows(decision: Decision) -> list[OutboxValues]:
    return [outbox_values(event, SOURCE) for event in decision.events]

"""Checks the platform's invariants on a live system: nothing oversold, nothing lost.

Each invariant of the order protocol is one query that returns the rows breaking it, or one
comparison of two databases. While requests are under way some are broken for a moment; within
60 s after everything is healthy all hold.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from common_lib.bus import aws_client_arguments
from common_lib.bus.sessions import new_session
from common_lib.database import Database
from common_lib.settings import DatabaseSettings
from shop.stack import choice, docker, memory
from shop.stack.errors import StackError
from shop.stack.layout import SERVICES, Layout
from shop.stack.native import NativeStack

SETTLE_S: Final = 60.0
_SHOWN: Final = 3
QUEUES: Final = ("notification-queue", "catalog-queue", "order-queue")
DEAD_LETTERS: Final = ("notification-dlq", "catalog-dlq", "order-dlq")

# Which reservation states fit an order's status once all events have arrived.
_FITTING: Final[Mapping[str, frozenset[str]]] = {
    "PENDING": frozenset({"COMMITTED"}),
    "CONFIRMED": frozenset({"CONSUMED"}),
    "PROCESSING": frozenset({"CONSUMED"}),
    "SHIPPED": frozenset({"CONSUMED"}),
    "DELIVERED": frozenset({"CONSUMED"}),
    "CANCELLED": frozenset({"RELEASED"}),
    "REFUNDED": frozenset({"CONSUMED", "RELEASED"}),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant of one database: a sentence and a query for the rows that break it."""

    database: str
    sentence: str
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    sentence: str
    offenders: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        return not self.offenders


RULES: Final = (
    Rule(
        "catalog",
        "0 <= reserved <= quantity for every variant",
        "SELECT variant_id FROM inventory WHERE reserved < 0 OR reserved > quantity",
    ),
    Rule(
        "catalog",
        "reserved is the sum of what live reservations hold",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT l.variant_id, SUM(l.quantity) AS held FROM reservation_lines l"
        "  JOIN reservations r ON r.id = l.reservation_id"
        "  WHERE r.status IN ('HELD', 'COMMITTED') GROUP BY l.variant_id"
        ") h ON h.variant_id = i.variant_id WHERE i.reserved <> COALESCE(h.held, 0)",
    ),
    Rule(
        "catalog",
        "the ledger adds up to the stock",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT variant_id, SUM(quantity_delta) AS quantity, SUM(reserved_delta) AS reserved"
        "  FROM stock_movements GROUP BY variant_id"
        ") m ON m.variant_id = i.variant_id"
        " WHERE i.quantity <> COALESCE(m.quantity, 0) OR i.reserved <> COALESCE(m.reserved, 0)",
    ),
    Rule(
        "catalog",
        "initial + restocked = available + held + committed + consumed",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT variant_id, SUM(quantity_delta) AS brought FROM stock_movements"
        "  WHERE kind IN ('INITIAL', 'RESTOCK', 'CORRECTION') GROUP BY variant_id"
        ") m ON m.variant_id = i.variant_id LEFT JOIN ("
        "  SELECT l.variant_id, SUM(l.quantity) AS taken FROM reservation_lines l"
        "  JOIN reservations r ON r.id = l.reservation_id"
        "  WHERE r.status IN ('HELD', 'COMMITTED', 'CONSUMED') GROUP BY l.variant_id"
        ") t ON t.variant_id = i.variant_id"
        " WHERE COALESCE(m.brought, 0) <> (i.quantity - i.reserved) + COALESCE(t.taken, 0)",
    ),
    Rule(
        "catalog",
        "no reservation is held past its time",
        "SELECT id FROM reservations WHERE status = 'HELD'"
        " AND expires_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND",
    ),
    Rule(
        "catalog",
        "what was bought is what consumed reservations hold",
        "SELECT c.order_id FROM ("
        "  SELECT r.order_id, l.product_id, SUM(l.quantity) AS units FROM reservations r"
        "  JOIN reservation_lines l ON l.reservation_id = r.id WHERE r.status = 'CONSUMED'"
        "  GROUP BY r.order_id, l.product_id"
        ") c LEFT JOIN purchases b ON b.order_id = c.order_id AND b.product_id = c.product_id"
        " WHERE b.quantity IS NULL OR b.quantity <> c.units"
        " UNION SELECT order_id FROM purchases WHERE order_id NOT IN ("
        "  SELECT order_id FROM reservations WHERE status = 'CONSUMED')",
    ),
    Rule(
        "catalog",
        "a product's total sold is the sum of its purchases",
        "SELECT p.id FROM products p LEFT JOIN ("
        "  SELECT product_id, SUM(quantity) AS units FROM purchases GROUP BY product_id"
        ") b ON b.product_id = p.id WHERE p.total_sold <> COALESCE(b.units, 0)",
    ),
    Rule(
        "catalog",
        "a product's rating is the mean of its approved reviews",
        "SELECT p.id FROM products p LEFT JOIN ("
        "  SELECT product_id, COUNT(*) AS n, SUM(rating) AS stars FROM reviews"
        "  WHERE status = 'APPROVED' GROUP BY product_id"
        ") r ON r.product_id = p.id WHERE p.review_count <> COALESCE(r.n, 0)"
        " OR 100 * p.avg_rating <> COALESCE((200 * r.stars + r.n) DIV (2 * r.n), 0)",
    ),
    Rule(
        "catalog",
        "the catalog's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "user",
        "the user service's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "order",
        "the order service's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "order",
        "every placed key has exactly one order",
        "SELECT k.subject_id FROM idempotency_keys k LEFT JOIN orders o ON o.id = k.subject_id"
        " WHERE k.scope = 'order' AND k.state = 'PLACED' AND o.id IS NULL",
    ),
    Rule(
        "order",
        "every order has exactly one placed key",
        "SELECT o.id FROM orders o LEFT JOIN idempotency_keys k"
        " ON k.scope = 'order' AND k.subject_id = o.id AND k.state = 'PLACED'"
        " WHERE k.subject_id IS NULL",
    ),
    Rule(
        "order",
        "no reservation serves two orders",
        "SELECT reservation_id FROM orders GROUP BY reservation_id HAVING COUNT(*) > 1",
    ),
    Rule(
        "order",
        "every order has lines that add up to its subtotal",
        "SELECT o.id FROM orders o LEFT JOIN ("
        "  SELECT order_id, SUM(line_total_minor) AS subtotal FROM order_items GROUP BY order_id"
        ") i ON i.order_id = o.id WHERE o.subtotal_minor <> COALESCE(i.subtotal, -1)",
    ),
    Rule(
        "order",
        "a coupon's count is its redemptions and within its limit",
        "SELECT c.id FROM coupons c LEFT JOIN ("
        "  SELECT coupon_id, COUNT(*) AS used FROM coupon_redemptions GROUP BY coupon_id"
        ") r ON r.coupon_id = c.id WHERE c.used_count <> COALESCE(r.used, 0)"
        " OR (c.usage_limit IS NOT NULL AND c.used_count > c.usage_limit)",
    ),
    Rule(
        "order",
        "captures less refunds are what is due",
        "SELECT o.id FROM orders o LEFT JOIN ("
        "  SELECT order_id, SUM(captured_minor - refunded_minor) AS kept FROM payments"
        "  GROUP BY order_id"
        ") p ON p.order_id = o.id WHERE COALESCE(p.kept, 0) <> CASE"
        "  WHEN o.status IN ('PENDING', 'CANCELLED', 'REFUNDED') THEN 0"
        "  WHEN o.payment_method = 'COD' AND o.status <> 'DELIVERED' THEN 0"
        "  ELSE o.total_minor END"
        " AND NOT (o.status IN ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED')"
        "  AND COALESCE(p.kept, 0) BETWEEN 1 AND o.total_minor"
        "  AND EXISTS (SELECT 1 FROM payments r WHERE r.order_id = o.id AND r.refunded_minor > 0))",
    ),
    Rule(
        "order",
        "a history is a chain that ends in the order's status",
        "SELECT o.id FROM orders o LEFT JOIN order_status_history h"
        " ON h.order_id = o.id AND h.order_version = ("
        "  SELECT MAX(l.order_version) FROM order_status_history l WHERE l.order_id = o.id)"
        " WHERE h.to_status IS NULL OR h.to_status <> o.status",
    ),
    Rule(
        "order",
        "histories follow the state graph",
        "SELECT order_id FROM order_status_history WHERE"
        " COALESCE(CONCAT(from_status, '>', to_status), to_status) NOT IN ('PENDING',"
        " 'PENDING>CONFIRMED', 'PENDING>CANCELLED', 'CONFIRMED>PROCESSING', 'CONFIRMED>SHIPPED',"
        " 'CONFIRMED>CANCELLED', 'PROCESSING>SHIPPED', 'PROCESSING>CANCELLED',"
        " 'SHIPPED>DELIVERED', 'SHIPPED>REFUNDED', 'DELIVERED>REFUNDED')",
    ),
    Rule(
        "notification",
        "no mail is stuck",
        "SELECT id FROM notification_logs WHERE status NOT IN ('SENT')"
        " AND created_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND",
    ),
    Rule(
        "notification",
        "no order got the same mail twice",
        "SELECT order_id FROM notification_logs"
        " WHERE order_id IS NOT NULL AND event_type = 'ORDER_CREATED'"
        " GROUP BY order_id HAVING COUNT(*) > 1",
    ),
)


@dataclass(frozen=True, slots=True)
class Audit:
    """Open connections to the four databases and the queues of one deployment."""

    databases: Mapping[str, Database]
    settings: DatabaseSettings

    async def findings(self) -> list[Finding]:
        """Check every invariant; the order is that of the list above."""
        kept: list[Finding] = [await self._apply(rule) for rule in RULES]
        comparisons: Sequence[Callable[[], Awaitable[Finding]]] = (
            self._orders_have_fitting_reservations,
            self._live_reservations_have_orders,
            self._orders_have_one_mail,
            self._queues_are_empty,
        )
        return kept + [await compare() for compare in comparisons]

    async def close(self) -> None:
        for database in self.databases.values():
            await database.close()

    async def _apply(self, rule: Rule) -> Finding:
        rows = await self._rows(rule.database, rule.query)
        return Finding(rule.sentence, tuple(_name(row[0]) for row in rows))

    async def _orders_have_fitting_reservations(self) -> Finding:
        states = dict(await self._rows("catalog", "SELECT id, status FROM reservations"))
        orders = await self._rows("order", "SELECT id, status, reservation_id FROM orders")
        wrong = [
            f"{_name(order)} is {status}, its reservation {states.get(reservation)}"
            for order, status, reservation in orders
            if states.get(reservation) not in _FITTING[status]
        ]
        return Finding("every order has one reservation that fits its status", tuple(wrong))

    async def _live_reservations_have_orders(self) -> Finding:
        known = {row[0] for row in await self._rows("order", "SELECT reservation_id FROM orders")}
        live = await self._rows(
            "catalog", "SELECT id FROM reservations WHERE status IN ('COMMITTED', 'CONSUMED')"
        )
        lost = tuple(_name(row[0]) for row in live if row[0] not in known)
        return Finding("every committed reservation has an order", lost)

    async def _orders_have_one_mail(self) -> Finding:
        mailed = {
            row[0]
            for row in await self._rows(
                "notification",
                "SELECT order_id FROM notification_logs"
                " WHERE event_type = 'ORDER_CREATED' AND status = 'SENT'",
            )
        }
        orders = await self._rows("order", "SELECT id FROM orders")
        silent = tuple(_name(row[0]) for row in orders if row[0] not in mailed)
        return Finding("every order has its confirmation mail", silent)

    async def _queues_are_empty(self) -> Finding:
        depths = await queue_depths(self.settings)
        full = tuple(f"{queue}: {depth}" for queue, depth in depths.items() if depth)
        return Finding("queues and dead letter queues are empty", full)

    async def _rows(self, database: str, query: str) -> Sequence[Any]:
        async with self.databases[database].connection() as connection:
            rows = (await connection.execute(sa.text(query))).all()
            await connection.rollback()
        return rows


async def queue_depths(settings: DatabaseSettings) -> dict[str, int]:
    """Return the number of messages, visible or in flight, of each queue and its DLQ."""
    async with AsyncExitStack() as stack:
        sqs = await stack.enter_async_context(
            _session().client("sqs", **aws_client_arguments(settings))
        )
        return {queue: await _depth(sqs, queue) for queue in (*QUEUES, *DEAD_LETTERS)}


@cache
def _session() -> Any:
    """One for all clients: each session reads the descriptions of AWS anew."""
    return new_session()


async def _depth(sqs: Any, queue: str) -> int:
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    counted = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counted))
    return sum(int(answer["Attributes"][name]) for name in counted)


def open_audit(stack: NativeStack, *, mysql_password: str | None = None) -> Audit:
    """Open the databases of a local stack; the password is the stack's own unless given."""
    settings = {service: _settings(stack, service, mysql_password) for service in SERVICES}
    databases = {service: Database(entry) for service, entry in settings.items()}
    return Audit(databases, settings["order"])


def _settings(stack: NativeStack, service: str, mysql_password: str | None) -> DatabaseSettings:
    given = {
        name.removeprefix("SHOP_").lower(): value
        for name, value in stack.environment(service).items()
    }
    known = {name: value for name, value in given.items() if name in DatabaseSettings.model_fields}
    url = make_url(stack.database_url(service))
    if mysql_password is not None:
        url = url.set(password=mysql_password)
    known["database_url"] = url.render_as_string(hide_password=False)
    return DatabaseSettings.model_validate(known | {"database_pool_size": 2})


async def settled(audit: Audit, *, within_s: float = SETTLE_S) -> list[Finding]:
    """Return the findings as soon as all are kept, else those at the deadline."""
    ends_at = time.monotonic() + within_s
    while True:
        findings = await audit.findings()
        if all(finding.is_kept for finding in findings) or time.monotonic() > ends_at:
            return findings
        await asyncio.sleep(0.5)


def run() -> None:
    """Audit the local stack and print the report. Raises StackError if an invariant is broken."""
    findings = asyncio.run(_audited())
    _print(findings)
    broken = [finding for finding in findings if not finding.is_kept]
    if broken:
        raise StackError(
            f"{len(broken)} of {len(findings)} invariants do not hold",
            "read docs/runbook.md; under load, ask again once it has passed",
        )


async def _audited() -> list[Finding]:
    layout = Layout.local()
    audit = open_audit(NativeStack(layout), mysql_password=compose_password(layout))
    try:
        return await settled(audit, within_s=10)
    finally:
        await audit.close()


def compose_password(layout: Layout) -> str | None:
    """Return the password that docker-compose.yml gives the databases; None for the other stack."""
    remembered = memory.recall_kind(layout.home)
    if choice.choose(os.environ, remembered, docker.engine_answers) is not memory.Kind.DOCKER:
        return None
    return os.environ.get("SHOP_DB_PASSWORD", "shop")


def _print(findings: Sequence[Finding]) -> None:
    table = Table("", "invariant", "broken by", box=None)
    for finding in findings:
        mark = "[green]✓[/]" if finding.is_kept else "[red]✗[/]"
        shown = ", ".join(finding.offenders[:_SHOWN])
        more = (
            f" and {len(finding.offenders) - _SHOWN} more"
            if len(finding.offenders) > _SHOWN
            else ""
        )
        table.add_row(mark, finding.sentence, shown + more)
    Console().print(table)


def _name(value: Any) -> str:
    return str(UUID(bytes=bytes(value))) if isinstance(value, (bytes, bytearray)) else str(value)

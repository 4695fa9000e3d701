"""Checks the platform's invariants on a live system: nothing oversold, nothing lost.

Each invariant of the order protocol is one query that returns the rows breaking it, or one
comparison of two databases. While requests are under way some are broken for a moment; within
60 s after everything is healthy all hold.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from common_lib.database import Database
from common_lib.settings import DatabaseSettings
from shop import books
from shop.audit.rules import RULES, Rule
from shop.queues import QueueMissing, queue_depths
from shop.stack.native import NativeStack

SETTLE_S: Final = 60.0
_QUEUES_EMPTY: Final = "queues and dead letter queues are empty"
# The relay keeps what it has published for 7 days; a day's distance spares the oldest of them.
_KEPT: Final = "UTC_TIMESTAMP(6) - INTERVAL 6 DAY"

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
class Finding:
    sentence: str
    offenders: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        return not self.offenders


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
            self._held_reservations_have_orders,
            self._orders_have_their_event,
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

    async def _held_reservations_have_orders(self) -> Finding:
        held = await self._rows(
            "catalog",
            "SELECT id FROM reservations WHERE status = 'HELD'"
            " AND created_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND",
        )
        known = {row[0] for row in await self._rows("order", "SELECT reservation_id FROM orders")}
        abandoned = tuple(_name(row[0]) for row in held if row[0] not in known)
        return Finding("no stock is held for more than 60 s without an order", abandoned)

    async def _orders_have_their_event(self) -> Finding:
        told = {
            row[0]
            for row in await self._rows(
                "order",
                "SELECT aggregate_key FROM outbox"
                " WHERE event_type = 'ORDER_CREATED' AND published_at IS NOT NULL",
            )
        }
        recent = f"SELECT id FROM orders WHERE created_at > {_KEPT}"  # noqa: S608 - a constant
        names = [_name(row[0]) for row in await self._rows("order", recent)]
        return Finding(
            "every order's creation was published", tuple(n for n in names if n not in told)
        )

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
        try:
            depths = await queue_depths(self.settings)
        except QueueMissing as missing:
            return Finding(_QUEUES_EMPTY, (f"{missing} is missing",))
        full = tuple(f"{queue}: {depth}" for queue, depth in depths.items() if depth)
        return Finding(_QUEUES_EMPTY, full)

    async def _rows(self, database: str, query: str) -> Sequence[Any]:
        async with self.databases[database].connection() as connection:
            rows = (await connection.execute(sa.text(query))).all()
            await connection.rollback()
        return rows


def open_audit(stack: NativeStack, *, mysql_password: str | None = None) -> Audit:
    """Open the databases of a local stack; the password is the stack's own unless given."""
    settings = books.of_stack(stack, mysql_password)
    databases = {service: Database(entry) for service, entry in settings.items()}
    return Audit(databases, settings["order"])


async def settled(audit: Audit, *, within_s: float = SETTLE_S) -> list[Finding]:
    """Return the findings as soon as all are kept, else those at the deadline."""
    ends_at = time.monotonic() + within_s
    while True:
        findings = await audit.findings()
        if all(finding.is_kept for finding in findings) or time.monotonic() > ends_at:
            return findings
        await asyncio.sleep(0.5)


def _name(value: Any) -> str:
    return str(UUID(bytes=bytes(value))) if isinstance(value, (bytes, bytearray)) else str(value)

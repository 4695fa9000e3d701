"""The proof of a sale: what the buyers were told, compared with what four databases say."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from common_lib.database import Database
from shop.audit import Finding
from shop.flashsale.crowd import Tally
from shop.flashsale.goods import Goods
from shop.flashsale.plan import Plan

STALLED_AFTER_S: Final = 60.0
_POLL_S: Final = 0.5
_CHUNK: Final = 1_000
_STOCK: Final = "SELECT quantity, reserved FROM inventory WHERE variant_id = :variant"
_LEDGER: Final = (
    "SELECT COALESCE(SUM(quantity_delta), 0), COALESCE(SUM(reserved_delta), 0)"
    " FROM stock_movements WHERE variant_id = :variant"
)
_RESERVATIONS: Final = (
    "SELECT r.id, r.status, l.quantity FROM reservation_lines l"
    " JOIN reservations r ON r.id = l.reservation_id WHERE l.variant_id = :variant"
)
_ORDERS: Final = (
    "SELECT o.id, o.user_id, o.idempotency_key, o.reservation_id, o.status, i.quantity"
    " FROM order_items i JOIN orders o ON o.id = i.order_id WHERE i.variant_id = :variant"
)
_MAILS: Final = (
    "SELECT order_id FROM notification_logs WHERE event_type = 'ORDER_CREATED'"
    " AND status = 'SENT' AND order_id IN :orders"
)
_ON_THE_WAY: Final = frozenset({"HELD", "COMMITTED"})

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Books:
    """What the databases say of one variant."""

    quantity: int
    reserved: int
    ledger_quantity: int
    ledger_reserved: int
    reservations: Sequence[tuple[UUID, str, int]]
    orders: Sequence[Mapping[str, Any]]
    mails: Counter[UUID]

    @property
    def sold_units(self) -> int:
        return sum(order["quantity"] for order in self.orders)

    @property
    def on_the_way(self) -> int:
        return sum(status in _ON_THE_WAY for _, status, _ in self.reservations)


class Bookkeeper:
    """Reads the books of one sale."""

    def __init__(self, databases: Mapping[str, Database], goods: Goods) -> None:
        self._databases = databases
        self._variant = goods.variant_id.bytes

    async def units_left(self) -> int:
        ((quantity, reserved),) = await self._rows("catalog", _STOCK, variant=self._variant)
        return int(quantity) - int(reserved)

    async def settled(self, told: Told) -> Books:
        """Return the books once nothing is on the way, or as they are when nothing moves on.

        `told` gets the number of mails sent so far.
        """
        seen, moved_at = (-1, -1), time.monotonic()
        while True:
            books = await self.read()
            state = (sum(books.mails.values()), books.on_the_way)
            if state != seen:
                seen, moved_at = state, time.monotonic()
            told(state[0])
            is_done = not books.on_the_way and len(books.mails) >= len(books.orders)
            if is_done or time.monotonic() - moved_at > STALLED_AFTER_S:
                return books
            await asyncio.sleep(_POLL_S)

    async def read(self) -> Books:
        orders = await self._orders()
        ((quantity, reserved),) = await self._rows("catalog", _STOCK, variant=self._variant)
        ((moved, held),) = await self._rows("catalog", _LEDGER, variant=self._variant)
        rows = await self._rows("catalog", _RESERVATIONS, variant=self._variant)
        reservations = [(_uuid(id_), str(status), int(count)) for id_, status, count in rows]
        mails = await self._mails([order["id"] for order in orders])
        return Books(
            int(quantity), int(reserved), int(moved), int(held), reservations, orders, mails
        )

    async def _orders(self) -> list[Mapping[str, Any]]:
        return [
            {
                "id": _uuid(row[0]),
                "user_id": _uuid(row[1]),
                "key": row[2],
                "reservation_id": _uuid(row[3]),
                "status": row[4],
                "quantity": int(row[5]),
            }
            for row in await self._rows("order", _ORDERS, variant=self._variant)
        ]

    async def _mails(self, orders: Sequence[UUID]) -> Counter[UUID]:
        found: Counter[UUID] = Counter()
        for start in range(0, len(orders), _CHUNK):
            ids = [order.bytes for order in orders[start : start + _CHUNK]]
            rows = await self._rows("notification", _MAILS, orders=ids)
            found.update(_uuid(row[0]) for row in rows)
        return found

    async def _rows(self, database: str, query: str, **values: Any) -> Sequence[Any]:
        statement = sa.text(query)
        if "orders" in values:
            statement = statement.bindparams(sa.bindparam("orders", expanding=True))
        async with self._databases[database].connection() as connection:
            rows = (await connection.execute(statement, values)).all()
            await connection.rollback()
        return rows


def verdicts(plan: Plan, tally: Tally, books: Books, shown: int) -> list[Finding]:
    """Compare the plan, the answers, the books and the stock that the shop's page shows."""
    return [
        *_answers(plan, tally),
        *_stock(plan, books, shown),
        *_orders(plan, tally, books),
        _mails(books),
    ]


def _answers(plan: Plan, tally: Tally) -> list[Finding]:
    unexplained = Counter(f"{a.status} {a.code}".strip() for a in tally.failed.values())
    return [
        _equal(f"{plan.orders:,} buyers got an order", len(tally.placed), plan.orders),
        _equal(
            f"{plan.refusals:,} were told that it is sold out", len(tally.refused), plan.refusals
        ),
        Finding(
            "nobody was left with an error or without an answer",
            tuple(f"{count} times {answer}" for answer, count in unexplained.items()),
        ),
    ]


def _stock(plan: Plan, books: Books, shown: int) -> list[Finding]:
    states = Counter(status for _, status, _ in books.reservations if status != "RELEASED")
    open_states = tuple(f"{n} {status}" for status, n in states.items() if status in _ON_THE_WAY)
    left, sold = plan.units_left, plan.orders * plan.quantity
    return [
        _equal(f"{sold:,} of {plan.stock:,} units are sold", books.sold_units, sold),
        _equal(f"{left:,} units are left", books.quantity - books.reserved, left),
        _equal(f"the shop's page shows {left:,} units", shown, left),
        _equal(
            "the ledger adds up to the stock",
            (books.ledger_quantity, books.ledger_reserved),
            (books.quantity, books.reserved),
        ),
        Finding("no unit is held any more, every reservation is settled", open_states),
    ]


def _orders(plan: Plan, tally: Tally, books: Books) -> list[Finding]:
    told, written = set(tally.placed.values()), {order["id"] for order in books.orders}
    reserved = {id_ for id_, status, _ in books.reservations if status != "RELEASED"}
    return [
        Finding(
            "the orders in the books are those the buyers were told of",
            tuple(str(order) for order in told ^ written),
        ),
        _once("one order per idempotency key", [(o["user_id"], o["key"]) for o in books.orders]),
        _once("one order per buyer", [order["user_id"] for order in books.orders]),
        Finding(
            "every order has its own reservation, and no reservation is without an order",
            tuple(str(r) for r in {o["reservation_id"] for o in books.orders} ^ reserved),
        ),
        Finding(
            f"every order is for {plan.quantity} and CONFIRMED",
            tuple(
                f"{order['id']} is {order['status']}, {order['quantity']}"
                for order in books.orders
                if (order["status"], order["quantity"]) != ("CONFIRMED", plan.quantity)
            ),
        ),
    ]


def _mails(books: Books) -> Finding:
    wrong = [str(o["id"]) for o in books.orders if books.mails[o["id"]] != 1]
    return Finding("every order has exactly one confirmation mail", tuple(wrong))


def _equal(sentence: str, found: object, wanted: object) -> Finding:
    return Finding(sentence, () if found == wanted else (f"found {found}, not {wanted}",))


def _once(sentence: str, values: Sequence[object]) -> Finding:
    twice = tuple(str(value) for value, count in Counter(values).items() if count > 1)
    return Finding(sentence, twice)


def _uuid(value: Any) -> UUID:
    return UUID(bytes=bytes(value))

"""TX1 in hand-written SQL: two round trips for a whole batch of reservations.

The statements of one trip travel as one multi-statement packet on the bare asyncmy connection
(measured at a fifth of Core's cost). Ids go as hex literals, integers as digits, and every text
through the driver's own escaping.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import (
    Admission,
    HeldStock,
    Offer,
    ReserveCommand,
    ReservedLine,
    StockLevel,
    StockView,
)
from common_lib.database import to_column
from common_lib.events import Event
from common_lib.ids import new_id
from common_lib.outbox import INSERT_OUTBOX, outbox_values

# FORCE INDEX: on a small table the optimizer would scan, and lock or wait for strangers' rows.
_SELECT_LEVELS: Final = (
    "SELECT variant_id, quantity, reserved, reorder_level FROM inventory FORCE INDEX (PRIMARY)"
    " WHERE variant_id IN ({variants}) ORDER BY variant_id"
)
_LOCK_LEVELS: Final = _SELECT_LEVELS + " FOR UPDATE"
_SELECT_OFFERS: Final = (
    "SELECT v.id, v.product_id, p.seller_id, v.sku, p.name, v.name, v.price_minor, v.currency,"
    " v.is_active AND p.status = 'ACTIVE' AND COALESCE(s.status = 'ACTIVE', TRUE)"
    " FROM product_variants v JOIN products p ON p.id = v.product_id"
    " LEFT JOIN sellers s ON s.id = p.seller_id WHERE v.id IN ({variants})"
)
_SELECT_KNOWN: Final = (
    "SELECT r.id, r.order_id, r.fingerprint, r.status, r.expires_at, l.variant_id, l.product_id,"
    " l.seller_id, l.sku, l.name, l.quantity, l.unit_price_minor, l.currency"
    " FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id"
    " WHERE r.id IN ({reservations}) ORDER BY r.id, l.variant_id"
)
# A locking read: it waits for a transaction that has inserted and not yet committed.
_SELECT_EXISTING: Final = (
    "SELECT id FROM reservations WHERE id IN ({reservations}) LOCK IN SHARE MODE"
)
_INSERT_RESERVATIONS: Final = (
    "INSERT INTO reservations (id, order_id, fingerprint, user_id, idempotency_key, status,"
    " expires_at, created_at, updated_at) VALUES "
)
_INSERT_LINES: Final = (
    "INSERT INTO reservation_lines (reservation_id, variant_id, quantity, product_id, seller_id,"
    " sku, name, unit_price_minor, currency) VALUES "
)
_INSERT_MOVEMENTS: Final = (
    "INSERT INTO stock_movements (id, variant_id, reservation_id, kind, quantity_delta,"
    " reserved_delta, created_at) VALUES "
)
# The guard fails loudly: NULL is refused (strict mode), and the COMMIT behind it in the same packet
# is not reached. The CHECK on the table stands behind that.
_TAKE: Final = (
    "UPDATE inventory"
    " SET reserved = IF(quantity - reserved - {n} >= {least}, reserved + {n}, NULL),"
    " version = version + 1, updated_at = {at} WHERE variant_id = {variant}"
)
# What has to be left of the counters: any of a locked one; of one that was only read so much that
# no threshold can have been crossed, whoever took of it meanwhile.
_LEAST_OF_LOCKED: Final = "0"
_LEAST_OF_READ: Final = "reorder_level + 1"

Escape = Callable[[str], str]


async def read_stock(
    connection: Any, variant_ids: Collection[UUID], *, is_locking: bool = False
) -> StockView:
    """Begin a transaction, read what is sold and its counters, locked in variant order if asked.

    Reservations that exist already are not looked for: `known_reservations` does.
    """
    variants = ",".join(map(_id, variant_ids))
    _, (_, offers), (_, levels) = await _run(
        connection,
        "BEGIN",
        # Before the counters are locked, so that others wait the shorter for them.
        _SELECT_OFFERS.format(variants=variants),
        (_LOCK_LEVELS if is_locking else _SELECT_LEVELS).format(variants=variants),
    )
    return StockView(
        levels=_levels(levels),
        offers={UUID(bytes=row[0]): _offer(row) for row in offers},
        known={},
        is_locked=is_locking,
    )


async def lock_counters(connection: Any, view: StockView) -> StockView:
    """Return the view with its counters read again and locked, in variant order."""
    variants = ",".join(map(_id, view.levels))
    ((_, levels),) = await _run(connection, _LOCK_LEVELS.format(variants=variants))
    return replace(view, levels=_levels(levels), is_locked=True)


async def known_reservations(
    connection: Any, reservation_ids: Collection[UUID]
) -> Mapping[UUID, HeldStock]:
    """Return those of the reservations that exist, by id."""
    reservations = ",".join(map(_id, reservation_ids))
    ((_, rows),) = await _run(connection, _SELECT_KNOWN.format(reservations=reservations))
    return _known_reservations(rows)


async def existing_reservations(
    connection: Any, reservation_ids: Collection[UUID]
) -> Collection[UUID]:
    """Return those of the ids that are reservations; ends its own transaction."""
    reservations = ",".join(map(_id, reservation_ids))
    _, (_, rows), _ = await _run(
        connection, "BEGIN", _SELECT_EXISTING.format(reservations=reservations), "COMMIT"
    )
    return {UUID(bytes=row[0]) for row in rows}


async def write_and_commit(connection: Any, admission: Admission, at: datetime) -> None:
    """Insert what was granted, take the stock and commit, in one packet.

    A statement that fails ends the packet: nothing after it runs, the COMMIT least of all. Raises
    the driver's IntegrityError if one of the reservations exists by now, or if a guard found less
    than was locked or, of a counter that was only read, a threshold reached. The counters come
    last: until then nobody waits for this transaction.
    """
    least = _LEAST_OF_LOCKED if admission.view.is_locked else _LEAST_OF_READ
    moment, expires_at = _moment(at), _moment(admission.expires_at)
    granted = list(admission.granted.values())
    taking = [
        _TAKE.format(n=n, least=least, at=moment, variant=_id(variant_id))
        for variant_id, n in admission.taken_in_order()
    ]
    await _run(
        connection,
        _INSERT_RESERVATIONS + _reservation_rows(granted, expires_at, moment, connection.escape),
        _INSERT_LINES + _line_rows(granted, connection.escape),
        _INSERT_MOVEMENTS + _movement_rows(granted, moment),
        *taking,
        "COMMIT",
    )


async def write_events(connection: Any, events: Iterable[Event], *, source: str) -> None:
    """Write outbox rows in the open transaction."""
    async with connection.cursor() as cursor:
        for event in events:
            await cursor.execute(INSERT_OUTBOX, outbox_values(event, source))


def line_name(product: str, variant: str) -> str:
    """Return what an order line is called: the product, with the variant where it says more."""
    return product if variant in {"", product} else f"{product} ({variant})"


async def _run(connection: Any, *statements: str) -> list[tuple[int, Sequence[Any]]]:
    """Send the statements in one packet; return (rows matched, rows) of each."""
    async with connection.cursor() as cursor:
        await cursor.execute(";".join(statements))
        results = [(cursor.rowcount, await cursor.fetchall())]
        while await cursor.nextset():
            results.append((cursor.rowcount, await cursor.fetchall()))
        return results


def _levels(rows: Iterable[Sequence[Any]]) -> Mapping[UUID, StockLevel]:
    return {UUID(bytes=row[0]): StockLevel(*row[1:]) for row in rows}


def _offer(row: Sequence[Any]) -> Offer:
    _, product_id, seller_id, sku, product, variant, price_minor, currency, is_for_sale = row
    return Offer(
        product_id=UUID(bytes=product_id),
        seller_id=UUID(bytes=seller_id) if seller_id else None,
        sku=sku,
        name=line_name(product, variant),
        price_minor=price_minor,
        currency=currency,
        is_for_sale=bool(is_for_sale),
    )


def _known_reservations(rows: Iterable[Sequence[Any]]) -> Mapping[UUID, HeldStock]:
    known: dict[UUID, HeldStock] = {}
    for row in rows:
        reservation_id = UUID(bytes=row[0])
        earlier = known.get(reservation_id)
        known[reservation_id] = HeldStock(
            reservation_id,
            UUID(bytes=row[1]),
            row[2],
            row[4].replace(tzinfo=UTC),
            (*(earlier.lines if earlier else ()), _stored_line(row[5:])),
            ReservationStatus(row[3]),
        )
    return known


def _stored_line(row: Sequence[Any]) -> ReservedLine:
    variant_id, product_id, seller_id, sku, name, quantity, price_minor, currency = row
    offer = Offer(
        product_id=UUID(bytes=product_id),
        seller_id=UUID(bytes=seller_id) if seller_id else None,
        sku=sku,
        name=name,
        price_minor=price_minor,
        currency=currency,
        is_for_sale=True,
    )
    return ReservedLine(UUID(bytes=variant_id), quantity, offer)


def _reservation_rows(
    granted: Iterable[tuple[ReserveCommand, HeldStock]],
    expires_at: str,
    moment: str,
    escape: Escape,
) -> str:
    end = f"'HELD',{expires_at},{moment},{moment})"
    return ",".join(
        f"({_id(held.reservation_id)},{_id(held.order_id)},{escape(held.fingerprint)},"
        f"{_id_or_null(command.user_id)},{_text_or_null(command.idempotency_key, escape)},{end}"
        for command, held in granted
    )


def _line_rows(granted: Iterable[tuple[ReserveCommand, HeldStock]], escape: Escape) -> str:
    offers: dict[UUID, str] = {}
    rows = []
    for _, held in granted:
        for line in held.lines:
            offer = offers.get(line.variant_id)
            if offer is None:
                offer = offers[line.variant_id] = _offer_values(line.offer, escape)
            rows.append(
                f"({_id(held.reservation_id)},{_id(line.variant_id)},{line.quantity},{offer})"
            )
    return ",".join(rows)


def _offer_values(offer: Offer, escape: Escape) -> str:
    return (
        f"{_id(offer.product_id)},{_id_or_null(offer.seller_id)},{escape(offer.sku)},"
        f"{escape(offer.name)},{offer.price_minor:d},{escape(offer.currency)}"
    )


def _movement_rows(granted: Iterable[tuple[ReserveCommand, HeldStock]], moment: str) -> str:
    return ",".join(
        f"({_id(new_id())},{_id(line.variant_id)},{_id(held.reservation_id)},'RESERVE',0,"
        f"{line.quantity:d},{moment})"
        for _, held in granted
        for line in held.lines
    )


def _id(identifier: UUID) -> str:
    return f"x'{identifier.hex}'"


def _id_or_null(identifier: UUID | None) -> str:
    return "NULL" if identifier is None else _id(identifier)


def _text_or_null(text: str | None, escape: Escape) -> str:
    return "NULL" if text is None else escape(text)


def _moment(moment: datetime) -> str:
    return f"'{to_column(moment).isoformat(sep=' ', timespec='microseconds')}'"

"""The shelf: what is shown of it, restocking and correcting, its ledger, and quotes."""

from typing import Final
from uuid import UUID

from catalog_service.models.inventory import Inventory, MovementKind, ShelfItem, StockMovement
from catalog_service.models.reservations import (
    InsufficientStock,
    Offer,
    Shortage,
    StockLevel,
    crossings,
    merged_lines,
)
from catalog_service.queries import inventory as queries
from catalog_service.queries.inventory import StockOnShelf
from catalog_service.queries.products import seller_exists, seller_of_user
from catalog_service.queries.quotes import Quote, quotes_by_variant
from catalog_service.queries.reservations import line_name
from catalog_service.schemas.inventory import (
    MAX_COUNT,
    AdjustIn,
    LowStockItem,
    LowStockPage,
    MovementOut,
    MovementPage,
    QuotedLine,
    QuoteIn,
    QuoteOut,
    ReorderLevelIn,
    StockOut,
)
from catalog_service.services.products.rules import Expectation, require_owner
from catalog_service.settings import SERVICE
from common_lib.auth import Principal, Role
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.database import AnySession, Database, WriteSession
from common_lib.errors import FieldError, NotFound, Rejected
from common_lib.outbox import enqueue

_LEDGER: Final = "ledger"
_LOW: Final = "low"


class InvalidAdjustment(Rejected):
    code = "validation_failed"
    title = "The adjustment is not possible"


async def displayed(database: Database, variant_id: UUID) -> StockOut | None:
    """Return what everybody may see of a variant's stock; None for what is not for sale.

    From the source: it is kept.
    """
    async with database.read_own_writes() as session:
        found = await queries.stock_by_variant(session, variant_id)
    if found is None or not found.is_for_sale:
        return None
    stock = found.inventory
    return StockOut(variant_id=variant_id, available=stock.available, updated_at=stock.updated_at)


async def whole(
    database: Database, principal: Principal | None, variant_id: UUID
) -> StockOut | None:
    """Return the counters too, if the caller keeps this shelf; else None."""
    if principal is None or principal.role not in {Role.SELLER, Role.ADMIN}:
        return None
    async with database.read_own_writes() as session:
        found = await queries.stock_by_variant(session, variant_id)
        if found is None:
            return None
        try:
            await require_owner(session, principal, found.seller_id)
        except NotFound:
            return None
    return _whole(found.inventory)


async def adjust(
    database: Database,
    principal: Principal,
    variant_id: UUID,
    body: AdjustIn,
    *,
    if_match: int | None = None,
) -> tuple[StockOut, UUID]:
    """Change what is on the shelf, with its ledger row and any alert it causes.

    Returns the stock and the product it belongs to.

    Raises NotFound, PreconditionFailed, StaleVersion, InvalidAdjustment, or InsufficientStock
    where fewer would be left than are reserved.
    """
    if body.delta == 0:
        raise _invalid("a change of nothing is no change")

    async def work(session: WriteSession) -> tuple[StockOut, UUID]:
        found = await _lock_own(session, principal, variant_id, Expectation(if_match, body.version))
        if found.inventory.quantity + body.delta > MAX_COUNT:
            raise _invalid("more than a shelf can hold")
        return await _change(session, principal, found, body)

    return await database.transact(work)


async def set_reorder_level(
    database: Database,
    principal: Principal,
    variant_id: UUID,
    body: ReorderLevelIn,
    *,
    if_match: int | None = None,
) -> StockOut:
    """Say when the item is low. What is low by that already causes no alert: nothing was sold.

    Raises NotFound, PreconditionFailed or StaleVersion.
    """

    async def work(session: WriteSession) -> StockOut:
        found = await _lock_own(session, principal, variant_id, Expectation(if_match, body.version))
        await queries.set_reorder_level(session, variant_id, body.reorder_level)
        await session.refresh(found.inventory)
        return _whole(found.inventory)

    return await database.transact(work)


async def ledger(
    database: Database, principal: Principal, variant_id: UUID, *, limit: int, cursor: str | None
) -> MovementPage:
    """Return every change of a variant's stock, newest first. Raises NotFound, InvalidCursor."""
    before = None if cursor is None else decode_cursor(cursor, _LEDGER)[1]
    async with database.read_own_writes() as session:
        found = await queries.stock_by_variant(session, variant_id)
        if found is None:
            raise NotFound
        await require_owner(session, principal, found.seller_id)
        rows = await queries.movements(session, variant_id, before=before, limit=limit + 1)
    shown = rows[:limit]
    return MovementPage(
        items=tuple(_movement_out(row) for row in shown),
        next_cursor=encode_cursor(_LEDGER, None, shown[-1].id) if len(rows) > limit else None,
    )


async def low_stock(
    database: Database,
    principal: Principal,
    seller_id: UUID | None,
    *,
    limit: int,
    cursor: str | None,
) -> LowStockPage:
    """Return what is for sale and at or below its reorder level, in the order of variant ids.

    A seller sees the own store's, an administrator all or the named store's. Raises NotFound for
    another seller's store or none, and InvalidCursor.
    """
    after = None if cursor is None else decode_cursor(cursor, _LOW)[1]
    async with database.read_own_writes() as session:
        store = await _store(session, principal, seller_id)
        rows = await queries.low_stock(session, store, after=after, limit=limit + 1)
    shown = rows[:limit]
    end = shown[-1].inventory.variant_id if len(rows) > limit else None
    return LowStockPage(
        items=tuple(_low_item(row) for row in shown),
        next_cursor=None if end is None else encode_cursor(_LOW, None, end),
    )


async def quote(database: Database, body: QuoteIn) -> QuoteOut:
    """Return each line as it would be sold now, repeated variants joined; one statement."""
    lines = merged_lines((item.variant_id, item.quantity) for item in body.items)
    async with database.read_own_writes() as session:
        found = await quotes_by_variant(session, [line.variant_id for line in lines])
    return QuoteOut(
        items=tuple(
            _quoted(line.variant_id, line.quantity, found[line.variant_id])
            for line in lines
            if line.variant_id in found
        ),
        missing=tuple(line.variant_id for line in lines if line.variant_id not in found),
    )


async def _lock_own(
    session: WriteSession, principal: Principal, variant_id: UUID, expected: Expectation
) -> StockOnShelf:
    """Return the caller's stock; its counter is locked."""
    found = await queries.lock_stock_of(session, variant_id)
    if found is None:
        raise NotFound
    await require_owner(session, principal, found.seller_id)
    expected.check(found.inventory.version)
    return found


async def _store(session: AnySession, principal: Principal, seller_id: UUID | None) -> UUID | None:
    """Return whose items are listed; None for everybody's."""
    if principal.is_admin:
        if seller_id is not None and not await seller_exists(session, seller_id):
            raise NotFound
        return seller_id
    own = await seller_of_user(session, principal.user_id)
    if own is None or seller_id not in {None, own.id}:
        raise NotFound
    return own.id


async def _change(
    session: WriteSession, principal: Principal, found: StockOnShelf, body: AdjustIn
) -> tuple[StockOut, UUID]:
    before = _level(found.inventory)
    variant_id = found.inventory.variant_id
    if not await queries.adjust_quantity(session, variant_id, body.delta):
        raise InsufficientStock([Shortage(variant_id, -body.delta, before.available)])
    row = queries.movement(
        variant_id,
        MovementKind(body.kind),
        body.delta,
        reason=body.reason,
        actor_id=principal.user_id,
    )
    await queries.write_movements(session, [row])
    available = before.available + body.delta
    events = crossings(variant_id, _offer(found), before, available)
    events += _item(found).restocked(before.available, available)
    await enqueue(session, *events, source=SERVICE)
    await session.refresh(found.inventory)
    return _whole(found.inventory), found.product_id


def _level(stock: Inventory) -> StockLevel:
    return StockLevel(stock.quantity, stock.reserved, stock.reorder_level)


def _item(found: StockOnShelf) -> ShelfItem:
    return ShelfItem(
        variant_id=found.inventory.variant_id,
        product_id=found.product_id,
        sku=found.sku,
        name=line_name(found.product_name, found.variant_name),
        reorder_level=found.inventory.reorder_level,
    )


def _offer(found: StockOnShelf) -> Offer:
    return Offer(
        product_id=found.product_id,
        seller_id=found.seller_id,
        sku=found.sku,
        name=line_name(found.product_name, found.variant_name),
        price_minor=0,
        currency="",
        is_for_sale=True,
    )


def _whole(stock: Inventory) -> StockOut:
    return StockOut(
        variant_id=stock.variant_id,
        available=stock.available,
        quantity=stock.quantity,
        reserved=stock.reserved,
        reorder_level=stock.reorder_level,
        version=stock.version,
        updated_at=stock.updated_at,
    )


def _movement_out(row: StockMovement) -> MovementOut:
    return MovementOut(
        id=row.id,
        kind=row.kind.value,
        quantity_delta=row.quantity_delta,
        reserved_delta=row.reserved_delta,
        reason=row.reason,
        reservation_id=row.reservation_id,
        actor_id=row.actor_id,
        created_at=row.created_at,
    )


def _low_item(found: StockOnShelf) -> LowStockItem:
    stock, item = found.inventory, _item(found)
    return LowStockItem(
        variant_id=item.variant_id,
        product_id=item.product_id,
        seller_id=found.seller_id,
        sku=item.sku,
        name=item.name,
        available=stock.available,
        quantity=stock.quantity,
        reserved=stock.reserved,
        reorder_level=item.reorder_level,
        version=stock.version,
        updated_at=stock.updated_at,
    )


def _quoted(variant_id: UUID, quantity: int, quote: Quote) -> QuotedLine:
    return QuotedLine(
        variant_id=variant_id,
        product_id=quote.product_id,
        sku=quote.sku,
        name=quote.name,
        seller_id=quote.seller_id,
        quantity=quantity,
        unit_price=quote.price,
        available=quote.available,
        is_active=quote.is_active,
    )


def _invalid(detail: str) -> InvalidAdjustment:
    return InvalidAdjustment(errors=[FieldError("/delta", "out_of_range", detail)])

"""The shelf: what is shown of it, restocking and correcting, and quotes."""

from uuid import UUID

from catalog_service.models.inventory import Inventory, MovementKind
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
from catalog_service.queries.products import seller_of_user
from catalog_service.queries.quotes import Quote, quotes_by_variant
from catalog_service.queries.reservations import line_name
from catalog_service.schemas.inventory import (
    MAX_COUNT,
    AdjustIn,
    QuotedLine,
    QuoteIn,
    QuoteOut,
    StockOut,
)
from catalog_service.settings import SERVICE
from common_lib.auth import Principal, Role
from common_lib.database import Database, WriteSession
from common_lib.errors import FieldError, NotFound, PreconditionFailed, Rejected
from common_lib.outbox import enqueue


class InvalidAdjustment(Rejected):
    code = "validation_failed"
    title = "The adjustment is not possible"


async def displayed(database: Database, variant_id: UUID) -> StockOut | None:
    """Return what everybody may see of a variant's stock, from the source: it is kept."""
    async with database.read_own_writes() as session:
        found = await queries.stock_by_variant(session, variant_id)
    if found is None:
        return None
    stock = found.inventory
    return StockOut(variant_id=variant_id, available=stock.available, updated_at=stock.updated_at)


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

    Raises NotFound, PreconditionFailed, InvalidAdjustment, or InsufficientStock where fewer would
    be left than are reserved.
    """
    if body.delta == 0:
        raise _invalid("a change of nothing is no change")

    async def work(session: WriteSession) -> tuple[StockOut, UUID]:
        found = await queries.lock_stock_of(session, variant_id)
        await _require_owner(session, principal, found)
        if found is None:
            raise NotFound
        before = found.inventory
        if if_match is not None and if_match != before.version:
            raise PreconditionFailed
        if before.quantity + body.delta > MAX_COUNT:
            raise _invalid("more than a shelf can hold")
        return await _change(session, principal, found, body)

    return await database.transact(work)


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


async def _require_owner(
    session: WriteSession, principal: Principal, found: StockOnShelf | None
) -> None:
    if found is None:
        raise NotFound
    if principal.is_admin:
        return
    seller = await seller_of_user(session, principal.user_id)
    if principal.role is not Role.SELLER or seller is None or seller.id != found.seller_id:
        raise NotFound


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
    events = crossings(variant_id, _offer(found), before, before.available + body.delta)
    await enqueue(session, *events, source=SERVICE)
    await session.refresh(found.inventory)
    return _whole(found.inventory), found.product_id


def _level(stock: Inventory) -> StockLevel:
    return StockLevel(stock.quantity, stock.reserved, stock.reorder_level)


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

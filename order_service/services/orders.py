"""Reading orders and moving them along."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from common_lib.auth import Principal, Role
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Forbidden, NotFound
from common_lib.events import Event
from common_lib.events.orders import (
    OrderCancelled,
    OrderDelivered,
    OrderLine,
    OrderShipped,
)
from common_lib.ids import new_id
from common_lib.outbox import enqueue, wake
from order_service.clients.catalog import Catalog
from order_service.models import (
    CANCELLABLE,
    ORDER_MOVES,
    SELLER_MOVES,
    IllegalTransition,
    Order,
    Shipment,
    StatusChange,
)
from order_service.models.records import OrderDetail
from order_service.queries import coupons as coupons_sql
from order_service.queries import orders as sql
from order_service.queries.orders import OrderFilter
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import (
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
    ShipmentStatus,
)
from order_service.services import settling
from order_service.services.drafting import event_fields
from order_service.services.shapes import ORDER_CANCELLED, event_lines

log = structlog.get_logger(__name__)

UNPAID: Final = "not paid in time"
_OVERDUE_BATCH: Final = 50


class MoveNotYours(Forbidden):
    code = "move_not_yours"
    title = "Your role does not move an order to that status"


class OrderHasOtherSellers(Forbidden):
    code = "order_has_other_sellers"
    title = "The order also holds another seller's goods"


class Orders:
    """Use cases of placed orders. Another's order looks like one that does not exist."""

    def __init__(self, *, database: Database, redis: Redis, catalog: Catalog) -> None:
        self._database = database
        self._redis = redis
        self._catalog = catalog

    async def detail(self, caller: Principal, order_id: UUID) -> OrderDetail:
        """Return what the caller may see of an order. Raises NotFound."""
        detail = await sql.detail_of(self._database, order_id)
        if detail is None:
            raise NotFound
        return await self._visible(caller, detail)

    async def page(self, caller: Principal, wanted: OrderFilter) -> list[OrderDetail]:
        """Return a page of the caller's own orders; an administrator may see everybody's."""
        if not caller.is_admin:
            wanted = replace(wanted, user_id=caller.user_id)
        return await sql.list_details(self._database, wanted)

    async def timeline(self, caller: Principal, order_id: UUID) -> Sequence[StatusChange]:
        """Return an order's history, oldest first. Raises NotFound."""
        await self.detail(caller, order_id)
        return await sql.timeline_of(self._database, order_id)

    async def move(
        self, caller: Principal, order_id: UUID, status: OrderStatus, note: str | None
    ) -> OrderDetail:
        """Move an order along its table of moves.

        Raises NotFound, MoveNotYours, OrderHasOtherSellers or IllegalTransition.
        """
        detail = await self.detail(caller, order_id)
        await self._require_right(caller, detail, status)
        if status is OrderStatus.CANCELLED:
            await self._cancel(order_id, by=caller.user_id, reason=note or "cancelled")
        else:
            await self._advance(order_id, status, by=caller.user_id, note=note)
        return await self.detail(caller, order_id)

    async def cancel(self, caller: Principal, order_id: UUID, reason: str | None) -> OrderDetail:
        """Cancel an order that was not shipped; a second time changes nothing.

        The stock goes back by the event, the money by a refund, the coupon at once. Raises
        NotFound or IllegalTransition.
        """
        detail = await self.detail(caller, order_id)
        await self._require_right(caller, detail, OrderStatus.CANCELLED)
        await self._cancel(order_id, by=caller.user_id, reason=reason or "cancelled")
        return await self.detail(caller, order_id)

    async def expire_unpaid(self) -> int:
        """Cancel the orders whose time to be paid is over; their stock goes back."""
        overdue = await sql.overdue_orders(self._database, now(), _OVERDUE_BATCH)
        for order_id in overdue:
            await self._database.transact(partial(_expire, order_id))
        if overdue:
            await wake(self._redis, SOURCE)
        return len(overdue)

    async def _visible(self, caller: Principal, detail: OrderDetail) -> OrderDetail:
        """Return the whole order to its buyer and to administrators, to a seller the own lines."""
        if caller.is_admin or detail.order.user_id == caller.user_id:
            return detail
        if caller.role is Role.SELLER:
            seller_id = await self._catalog.seller_of(caller.user_id)
            own = tuple(item for item in detail.items if item.seller_id == seller_id)
            if seller_id is not None and own:
                return replace(detail, items=own)
        raise NotFound

    async def _require_right(
        self, caller: Principal, detail: OrderDetail, status: OrderStatus
    ) -> None:
        """Let administrators make every move, sellers ship own goods, buyers cancel."""
        if caller.is_admin:
            return
        if detail.order.user_id == caller.user_id and status is OrderStatus.CANCELLED:
            return
        if caller.role is not Role.SELLER or status not in SELLER_MOVES:
            raise MoveNotYours
        seller_id = await self._catalog.seller_of(caller.user_id)
        whole = await sql.detail_of(self._database, detail.order.id)
        if seller_id is None or whole is None:
            raise MoveNotYours
        if any(item.seller_id != seller_id for item in whole.items):
            raise OrderHasOtherSellers

    async def _cancel(self, order_id: UUID, *, by: UUID, reason: str) -> None:
        async def work(session: WriteSession) -> None:
            order = await _locked(session, order_id)
            if order.status is not OrderStatus.CANCELLED:
                await _cancel(session, order, by=by, reason=reason)

        await self._database.transact(work)
        await wake(self._redis, SOURCE)

    async def _advance(
        self, order_id: UUID, status: OrderStatus, *, by: UUID, note: str | None
    ) -> None:
        async def work(session: WriteSession) -> None:
            order = await _locked(session, order_id)
            session.add(order.move_to(status, by=by, note=note))
            await _follow(session, order)

        await self._database.transact(work)
        await wake(self._redis, SOURCE)


async def _locked(session: WriteSession, order_id: UUID) -> Order:
    order = await sql.lock_order(session, order_id)
    if order is None:
        raise NotFound
    return order


async def _cancel(session: WriteSession, order: Order, *, by: UUID | None, reason: str) -> None:
    """Cancel a locked order with all that follows. Raises IllegalTransition."""
    if order.status not in CANCELLABLE:
        raise IllegalTransition(
            f"an order that is {order.status} is not cancelled any more",
            status=order.status,
            allowed=sorted(ORDER_MOVES[order.status]),
        )
    session.add(order.move_to(OrderStatus.CANCELLED, by=by, note=reason))
    await sql.free_slot(session, order.id)
    await coupons_sql.give_back(session, order.id)
    payments = await sql.lock_payments(session, order.id)
    for payment in payments:
        # One that a provider may know of stays open: a late capture is given back.
        is_unsent = payment.phase is PaymentPhase.INITIATED
        if payment.status is PaymentStatus.PENDING and is_unsent:
            payment.fail(ORDER_CANCELLED)
    await settling.give_back_all(session, order, payments, reason, by)
    event = OrderCancelled(**event_fields(order), reason=reason)
    await enqueue(session, event, source=SOURCE)


async def _expire(order_id: UUID, session: WriteSession) -> None:
    order = await sql.lock_order(session, order_id)
    if order is not None and order.status is OrderStatus.PENDING:
        await _cancel(session, order, by=None, reason=UNPAID)
    else:
        await sql.free_slot(session, order_id)


async def _follow(session: WriteSession, order: Order) -> None:
    """Do what an order's new status brings with it."""
    match order.status:
        case OrderStatus.CONFIRMED:
            await sql.free_slot(session, order.id)
            await settling.settle_by_hand(session, order)
            await _tell(session, settling.confirmed_event(order))
        case OrderStatus.SHIPPED:
            session.add(_parcel(order))
            await _tell(session, OrderShipped(**event_fields(order)))
        case OrderStatus.DELIVERED:
            await _delivered(session, order)
        case OrderStatus.REFUNDED:
            payments = await sql.lock_payments(session, order.id)
            await settling.give_back_all(session, order, payments, "the order was refunded")
        case _:
            return


def _parcel(order: Order) -> Shipment:
    moment = now()
    return Shipment(
        id=new_id(),
        order_id=order.id,
        status=ShipmentStatus.IN_TRANSIT,
        shipped_at=moment,
        version=1,
        created_at=moment,
        updated_at=moment,
    )


async def _delivered(session: WriteSession, order: Order) -> None:
    """Close the parcel, count cash as paid, and tell who may now review what."""
    parcel = await sql.shipment_under_way(session, order.id)
    if parcel is not None:
        parcel.status = ShipmentStatus.DELIVERED
        parcel.delivered_at = parcel.updated_at = now()
        parcel.version += 1
    payments = await sql.lock_payments(session, order.id)
    for payment in payments:
        is_due = payment.status is PaymentStatus.PENDING
        if is_due and payment.method is PaymentMethod.COD:
            await settling.settle_cash(session, settling.Locked(order, payments, payment))
    items = await sql.items_of(session, order.id)
    lines = tuple(OrderLine.model_validate(line) for line in event_lines(items, order.currency))
    await _tell(session, OrderDelivered(**event_fields(order), lines=lines))


async def _tell(session: WriteSession, event: Event) -> None:
    await enqueue(session, event, source=SOURCE)

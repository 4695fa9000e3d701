"""Reading orders and moving them along."""

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
from common_lib.outbox import wake
from order_service.clients.catalog import Catalog
from order_service.models import (
    SELLER_MOVES,
    IllegalTransition,
)
from order_service.models.consequences import TRIGGER_OF_STATUS, Trigger
from order_service.models.records import OrderDetail
from order_service.queries import orders as sql
from order_service.queries.orders import OrderFilter
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import OrderStatus
from order_service.services.following import Happening, follow, illegal
from order_service.services.shapes import Document
from order_service.services.views import Seen, Viewer, timeline

log = structlog.get_logger(__name__)

UNPAID: Final = "not paid in time"
_OVERDUE_BATCH: Final = 50
# Why an order ended or money goes back, where nobody said it.
_UNSAID: Final = {
    Trigger.CANCEL: "cancelled",
    Trigger.REFUND: "the order was refunded",
}


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

    async def detail(self, caller: Principal, order_id: UUID) -> Seen:
        """Return what the caller may see of an order. Raises NotFound."""
        detail = await sql.detail_of(self._database, order_id)
        if detail is None:
            raise NotFound
        return await self._visible(caller, detail)

    async def page(self, caller: Principal, wanted: OrderFilter) -> list[Seen]:
        """Return a page of the caller's own orders; an administrator may see everybody's."""
        if not caller.is_admin:
            wanted = replace(wanted, user_id=caller.user_id)
        viewer = Viewer.SHOP if caller.is_admin else Viewer.BUYER
        details = await sql.list_details(self._database, wanted)
        return [Seen(detail, viewer, caller.user_id) for detail in details]

    async def page_of_store(
        self, caller: Principal, store_id: UUID, wanted: OrderFilter
    ) -> list[Seen]:
        """Return a page of the orders that hold a store's goods, each with its own part only.

        Raises NotFound for a store that is not the caller's, unless an administrator asks.
        """
        if not caller.is_admin and await self._catalog.seller_of(caller.user_id) != store_id:
            raise NotFound
        wanted = replace(wanted, store_id=store_id)
        details = await sql.list_details(self._database, wanted)
        return [Seen(detail, Viewer.SELLER, caller.user_id, store_id) for detail in details]

    async def timeline(self, caller: Principal, order_id: UUID) -> Document:
        """Return an order's history, oldest first. Raises NotFound."""
        seen = await self.detail(caller, order_id)
        return timeline(seen, await sql.timeline_of(self._database, order_id))

    async def move(
        self, caller: Principal, order_id: UUID, status: OrderStatus, note: str | None
    ) -> Seen:
        """Move an order along its table of moves.

        Raises NotFound, MoveNotYours, OrderHasOtherSellers or IllegalTransition.
        """
        seen = await self._acting(caller, await self.detail(caller, order_id), status)
        _require_right(seen, status)
        await self._happen(TRIGGER_OF_STATUS.get(status), order_id, caller, note)
        return await self.detail(caller, order_id)

    async def cancel(self, caller: Principal, order_id: UUID, reason: str | None) -> Seen:
        """Cancel an order that was not shipped; a second time changes nothing.

        The stock goes back by the event, the money by a refund, the coupon at once. Raises
        NotFound or IllegalTransition.
        """
        seen = await self.detail(caller, order_id)
        _require_right(seen, OrderStatus.CANCELLED)
        await self._happen(Trigger.CANCEL, order_id, caller, reason)
        return await self.detail(caller, order_id)

    async def expire_unpaid(self) -> int:
        """Cancel the orders whose time to be paid is over; their stock goes back."""
        overdue = await sql.overdue_orders(self._database, now(), _OVERDUE_BATCH)
        for order_id in overdue:
            await self._database.transact(partial(_expire, order_id))
        if overdue:
            await wake(self._redis, SOURCE)
        return len(overdue)

    async def _visible(self, caller: Principal, detail: OrderDetail) -> Seen:
        """Return the whole order to its buyer and to administrators, to a seller the own part."""
        if detail.order.user_id == caller.user_id:
            return Seen(detail, Viewer.SHOP if caller.is_admin else Viewer.BUYER, caller.user_id)
        if caller.is_admin:
            return Seen(detail, Viewer.SHOP, caller.user_id)
        if caller.role is Role.SELLER:
            store_id = await self._catalog.seller_of(caller.user_id)
            seen = Seen(detail, Viewer.SELLER, caller.user_id, store_id)
            if store_id is not None and seen.own:
                return seen
        raise NotFound

    async def _acting(self, caller: Principal, seen: Seen, status: OrderStatus) -> Seen:
        """Let a seller who bought own goods send them as anybody else's."""
        is_sellers_move = caller.role is Role.SELLER and status in SELLER_MOVES
        if seen.viewer is not Viewer.BUYER or not is_sellers_move:
            return seen
        store_id = await self._catalog.seller_of(caller.user_id)
        as_seller = Seen(seen.detail, Viewer.SELLER, caller.user_id, store_id)
        return as_seller if store_id is not None and as_seller.own else seen

    async def _happen(
        self, trigger: Trigger | None, order_id: UUID, caller: Principal, note: str | None
    ) -> None:
        async def work(session: WriteSession) -> None:
            order = await sql.lock_order(session, order_id)
            if order is None:
                raise NotFound
            payments = await sql.lock_payments(session, order_id)
            if trigger is None:
                raise illegal(order, payments)
            reason, by = note or _UNSAID.get(trigger, ""), caller.user_id
            happening = Happening(trigger, order, payments, by=by, note=note, reason=reason)
            await follow(session, happening)

        try:
            await self._database.transact(work)
        except IllegalTransition as refusal:
            raise refusal.within(_rights(caller)) from None
        await wake(self._redis, SOURCE)


def _require_right(seen: Seen, status: OrderStatus) -> None:
    """Let administrators make every move, sellers ship own goods, buyers cancel."""
    if seen.viewer is Viewer.SHOP:
        return
    if seen.viewer is Viewer.BUYER and status is OrderStatus.CANCELLED:
        return
    if seen.viewer is Viewer.BUYER or status not in SELLER_MOVES:
        raise MoveNotYours
    if not seen.is_whole:
        raise OrderHasOtherSellers


def _rights(caller: Principal) -> frozenset[OrderStatus]:
    """Return the statuses the caller's role may name at all."""
    if caller.is_admin:
        return frozenset(OrderStatus)
    sells = SELLER_MOVES if caller.role is Role.SELLER else frozenset()
    return sells | {OrderStatus.CANCELLED}


async def _expire(order_id: UUID, session: WriteSession) -> None:
    order = await sql.lock_order(session, order_id)
    if order is None:
        await sql.free_slot(session, order_id)
        return
    payments = await sql.lock_payments(session, order_id)
    await follow(session, Happening(Trigger.EXPIRE, order, payments, reason=UNPAID))

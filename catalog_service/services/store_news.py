"""What the owner of a store is told: decisions on the store, and orders that hold its goods."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.queries.sellers import sellers_by_id
from catalog_service.settings import SERVICE
from common_lib.consumer import Delivery
from common_lib.database import WriteSession
from common_lib.events.catalog import (
    StoreApproved,
    StoreEvent,
    StoreOrderCancelled,
    StoreOrderEvent,
    StoreOrderReceived,
    StoreReinstated,
    StoreRejected,
    StoreSuspended,
)
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderLine
from common_lib.money import total
from common_lib.outbox import enqueue, enqueue_rows, outbox_row

_DECISIONS: Final[Mapping[tuple[SellerStatus, SellerStatus], type[StoreEvent]]] = {
    (SellerStatus.PENDING, SellerStatus.ACTIVE): StoreApproved,
    (SellerStatus.PENDING, SellerStatus.SUSPENDED): StoreRejected,
    (SellerStatus.ACTIVE, SellerStatus.SUSPENDED): StoreSuspended,
    (SellerStatus.SUSPENDED, SellerStatus.ACTIVE): StoreReinstated,
}


async def tell_of_decision(session: WriteSession, seller: Seller, before: SellerStatus) -> None:
    """Tell the owner what was decided, in the transaction that decides it."""
    event = _DECISIONS[before, seller.status](
        user_id=seller.user_id, store_id=seller.id, store_name=seller.store_name
    )
    await enqueue(session, event, source=SERVICE)


async def tell_of_orders(
    session: WriteSession, told: Sequence[tuple[OrderConfirmed | OrderCancelled, Delivery]]
) -> None:
    """Tell each store whose goods are in an order of its own part; one read for all stores."""
    parts = [(event, _by_store(event.lines), delivery) for event, delivery in told]
    wanted = {store_id for _, by_store, _ in parts for store_id in by_store}
    stores = {store.id: store for store in await _stores(session, wanted)}
    rows = []
    for event, by_store, delivery in parts:
        with delivery.bound():
            for store_id in sorted(by_store.keys() & stores.keys()):
                news = _about(stores[store_id], event, by_store[store_id])
                rows.append(outbox_row(news, SERVICE))
    await enqueue_rows(session, rows)


async def _stores(session: WriteSession, ids: Collection[UUID]) -> Sequence[Seller]:
    return await sellers_by_id(session, list(ids)) if ids else ()


def _by_store(lines: Sequence[OrderLine]) -> dict[UUID, list[OrderLine]]:
    parts: dict[UUID, list[OrderLine]] = {}
    for line in lines:
        if line.seller_id is not None:
            parts.setdefault(line.seller_id, []).append(line)
    return parts


def _about(
    store: Seller, event: OrderConfirmed | OrderCancelled, lines: Sequence[OrderLine]
) -> StoreOrderEvent:
    kind = StoreOrderReceived if isinstance(event, OrderConfirmed) else StoreOrderCancelled
    return kind(
        user_id=store.user_id,
        store_id=store.id,
        store_name=store.store_name,
        order_id=event.order_id,
        order_number=event.order_number,
        lines=tuple(lines),
        total=total((line.line_total for line in lines), event.total.currency),
    )

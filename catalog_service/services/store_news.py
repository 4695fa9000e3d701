"""What the owner of a store is told: decisions on the store, and orders that hold its goods."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.queries.sellers import sellers_by_id
from catalog_service.settings import SERVICE
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
from common_lib.outbox import enqueue

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


async def tell_of_order(session: WriteSession, event: OrderConfirmed | OrderCancelled) -> None:
    """Tell each store whose goods are in the order of its own part; one read for all stores."""
    parts = _by_store(event.lines)
    kind = StoreOrderReceived if isinstance(event, OrderConfirmed) else StoreOrderCancelled
    stores = await sellers_by_id(session, list(parts)) if parts else ()
    news = [_about(kind, store, event, parts[store.id]) for store in stores]
    if news:
        await enqueue(session, *news, source=SERVICE)


def _by_store(lines: Sequence[OrderLine]) -> dict[UUID, list[OrderLine]]:
    parts: dict[UUID, list[OrderLine]] = {}
    for line in lines:
        if line.seller_id is not None:
            parts.setdefault(line.seller_id, []).append(line)
    return parts


def _about(
    kind: type[StoreOrderEvent],
    store: Seller,
    event: OrderConfirmed | OrderCancelled,
    lines: Sequence[OrderLine],
) -> StoreOrderEvent:
    return kind(
        user_id=store.user_id,
        store_id=store.id,
        store_name=store.store_name,
        order_id=event.order_id,
        order_number=event.order_number,
        lines=tuple(lines),
        total=total((line.line_total for line in lines), event.total.currency),
    )

"""Stock over HTTP, for everybody and for those who keep the shelf."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from catalog_service.api.deps import (
    IF_MATCH,
    Merchant,
    Wired,
    expected_version,
    json_response,
    tagged,
)
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.schemas.inventory import (
    AdjustIn,
    LowStockPage,
    MovementPage,
    ReorderLevelIn,
    StockOut,
)
from catalog_service.services import inventory
from common_lib.auth import MaybeUser
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute
from common_lib.runtime.hot_reads import packed_response

router = APIRouter(prefix="/api/inventory", tags=["inventory"], route_class=StrictRoute)

PRIVATE: Final = "private, no-store"


@router.get(
    "/low-stock",
    response_model=LowStockPage,
)
async def list_low_stock(
    *,
    principal: Merchant,
    request: Request,
    deps: Wired,
    seller_id: Annotated[UUID | None, Query(alias="sellerId")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List what is at or below its reorder level: the own items, or all for administrators."""
    page = await inventory.low_stock(
        deps.database, principal, seller_id, limit=limit, cursor=cursor
    )
    return page_response(request, page, cache_control=PRIVATE)


@router.get("/{variant_id:uuid}", response_model=StockOut, response_model_exclude_none=True)
async def get_stock(
    variant_id: UUID, principal: MaybeUser, request: Request, deps: Wired
) -> Response:
    """Show what is available; it may be 30 seconds old, unless this shop itself changed it.

    Who keeps the shelf sees its counters as they are now; their ETag is what If-Match names.
    """
    own = await inventory.whole(deps.database, principal, variant_id)
    if own is not None:
        return _counters(own)

    async def load() -> bytes | None:
        stock = await inventory.displayed(deps.database, variant_id)
        return None if stock is None else tagged(stock.model_dump_json(exclude_none=True).encode())

    packed = await deps.announcements.stock.get(str(variant_id), load)
    if packed is None:
        raise NotFound
    return packed_response(request, packed)


@router.put("/{variant_id:uuid}", response_model=StockOut, openapi_extra=IF_MATCH)
async def set_reorder_level(
    variant_id: UUID, body: ReorderLevelIn, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Say at how many available units the item counts as low."""
    stock = await inventory.set_reorder_level(
        deps.database, principal, variant_id, body, if_match=expected_version(request)
    )
    await deps.announcements.stock_changed([stock.variant_id])
    return _counters(stock)


@router.get(
    "/{variant_id:uuid}/movements",
    response_model=MovementPage,
)
async def list_movements(
    *,
    variant_id: UUID,
    principal: Merchant,
    request: Request,
    deps: Wired,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List every change of the stock, newest first: the ledger, which is only ever added to."""
    page = await inventory.ledger(deps.database, principal, variant_id, limit=limit, cursor=cursor)
    return page_response(request, page, cache_control=PRIVATE)


@router.post("/{variant_id:uuid}/adjust", response_model=StockOut, openapi_extra=IF_MATCH)
async def adjust_stock(
    variant_id: UUID, body: AdjustIn, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Put units on the shelf or take them off, with the reason that the ledger keeps."""
    stock, product_id = await inventory.adjust(
        deps.database, principal, variant_id, body, if_match=expected_version(request)
    )
    deps.batcher.forget_sold_out([variant_id])
    await deps.announcements.stock_changed([variant_id])
    await deps.announcements.product_changed(product_id)
    return _counters(stock)


def _counters(stock: StockOut) -> Response:
    body = stock.model_dump_json().encode()
    return json_response(body, etag=f'"{stock.version}"', cache_control=PRIVATE)

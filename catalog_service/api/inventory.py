"""Stock over HTTP, for everybody and for those who keep the shelf."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from catalog_service.api.deps import Wired, expected_version, json_response, tagged
from catalog_service.schemas.inventory import AdjustIn, StockOut
from catalog_service.services import inventory
from common_lib.auth import Principal, Role, require_role
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute, parse_id
from common_lib.runtime.hot_reads import packed_response

router = APIRouter(prefix="/api/inventory", tags=["inventory"], route_class=StrictRoute)

Merchant = Annotated[Principal, Depends(require_role(Role.SELLER, Role.ADMIN))]


@router.get("/{variant_id}", response_model=StockOut, response_model_exclude_none=True)
async def get_stock(variant_id: str, request: Request, deps: Wired) -> Response:
    """Show what is available; it may be 30 seconds old, unless this shop itself changed it."""
    wanted = parse_id(variant_id)

    async def load() -> bytes | None:
        stock = await inventory.displayed(deps.database, wanted)
        return None if stock is None else tagged(stock.model_dump_json(exclude_none=True).encode())

    packed = await deps.announcements.stock.get(str(wanted), load)
    if packed is None:
        raise NotFound
    return packed_response(request, packed)


@router.post("/{variant_id}/adjust", response_model=StockOut)
async def adjust_stock(
    variant_id: str, body: AdjustIn, principal: Merchant, request: Request, deps: Wired
) -> Response:
    wanted = parse_id(variant_id)
    stock, product_id = await inventory.adjust(
        deps.database, principal, wanted, body, if_match=expected_version(request)
    )
    deps.batcher.forget_sold_out([wanted])
    await deps.announcements.stock_changed([wanted])
    await deps.announcements.product_changed(product_id)
    return json_response(stock.model_dump_json().encode(), etag=f'"{stock.version}"')

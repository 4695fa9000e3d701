"""Stores over HTTP."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from catalog_service.api.deps import Admin, Member, Wired, json_response
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.models.sellers import SellerStatus
from catalog_service.schemas.sellers import (
    OwnStoreOut,
    StoreEdit,
    StoreIn,
    StoreOut,
    StorePage,
    StoreStatus,
    StoreStatusIn,
)
from catalog_service.services import sellers
from common_lib.auth import MaybeUser
from common_lib.problems import ApiModel, StrictRoute, parse_id

router = APIRouter(prefix="/api/sellers", tags=["sellers"], route_class=StrictRoute)


@router.post("", status_code=HTTPStatus.CREATED, response_model=OwnStoreOut)
async def apply(body: StoreIn, member: Member, deps: Wired) -> Response:
    """Apply for a store."""
    store = await sellers.apply(deps.database, member.user_id, body)
    return _answer(store, HTTPStatus.CREATED, location=f"/api/sellers/{store.id}")


@router.get(
    "",
    response_model=StorePage,
)
async def list_stores(
    *,
    admin: Admin,
    deps: Wired,
    request: Request,
    status: StoreStatus | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List stores in any state, the latest application first."""
    del admin
    wanted = SellerStatus(status) if status is not None else None
    page = await sellers.listed(deps.database, wanted, limit=limit, cursor=cursor)
    return page_response(request, page, cache_control="private, no-store")


@router.get("/{seller_id}", response_model=OwnStoreOut | StoreOut)
async def get_store(seller_id: str, viewer: MaybeUser, deps: Wired) -> Response:
    """Show a store: an open one to everybody, any to its owner and to administrators."""
    return _answer(await sellers.shown(deps.database, parse_id(seller_id), viewer))


@router.put("/{seller_id}", response_model=OwnStoreOut)
async def update_store(seller_id: str, body: StoreEdit, member: Member, deps: Wired) -> Response:
    """Change a store."""
    wanted = parse_id(seller_id)
    return _answer(await sellers.update(deps.database, member.user_id, wanted, body))


@router.patch("/{seller_id}/status", response_model=OwnStoreOut)
async def set_status(seller_id: str, body: StoreStatusIn, admin: Admin, deps: Wired) -> Response:
    """Approve, suspend or reinstate a store; its owner's role and its products follow."""
    del admin
    wanted, status = parse_id(seller_id), SellerStatus(body.status)
    seller = await sellers.set_status(deps.database, wanted, status)
    await deps.seller_roles.try_for(seller)
    await deps.shelf_keeper.try_for(seller.id)
    return _answer(sellers.own_store(seller))


def _answer(store: ApiModel, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response:
    body = store.model_dump_json().encode()
    return json_response(body, status, cache_control="private, no-store", **headers)

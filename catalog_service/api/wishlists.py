"""Wishlists over HTTP. A guest has none: it would outlive whoever could open it."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from catalog_service.api.deps import Deps, Member, Wired, json_response
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.schemas.wishlists import WishAdded, WishIn, WishPage
from catalog_service.services import wishlists
from common_lib.auth import ensure_self
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute, parse_id

router = APIRouter(prefix="/api/wishlists", tags=["wishlists"], route_class=StrictRoute)


async def _own(user_id: str, member: Member) -> UUID:
    owner = parse_id(user_id)
    ensure_self(member, owner)
    return owner


Owner = Annotated[UUID, Depends(_own)]

THERE_ALREADY: Final[dict[int | str, dict[str, Any]]] = {HTTPStatus.OK: {"model": WishAdded}}


@router.get(
    "/{user_id}",
    response_model=WishPage,
)
async def get_wishlist(
    user_id: Owner, deps: Wired, request: Request, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """Show the list, the latest wish first; what is no longer sold is marked so."""
    currency = deps.settings.currency
    page = await wishlists.page(
        deps.database, user_id, limit=limit, cursor=cursor, currency=currency
    )
    return page_response(request, page, cache_control="private, no-store")


@router.post(
    "/{user_id}", status_code=HTTPStatus.CREATED, response_model=WishAdded, responses=THERE_ALREADY
)
async def add_wish(user_id: Owner, body: WishIn, deps: Wired) -> Response:
    """Put a product on the list: 201, or 200 where it is there already."""
    return await _add(deps, user_id, body.product_id)


@router.post(
    "/{user_id}/{product_id}",
    status_code=HTTPStatus.CREATED,
    response_model=WishAdded,
    responses=THERE_ALREADY,
)
async def add_named_wish(user_id: Owner, product_id: str, deps: Wired) -> Response:
    """Put a product on the list: 201, or 200 where it is there already; 404 if it is not sold."""
    try:
        return await _add(deps, user_id, parse_id(product_id))
    except wishlists.UnknownProduct:
        raise NotFound from None


@router.delete("/{user_id}", status_code=HTTPStatus.NO_CONTENT)
async def clear_wishlist(user_id: Owner, deps: Wired) -> Response:
    """Clear the wishlist."""
    await wishlists.clear(deps.database, user_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/{user_id}/{product_id}", status_code=HTTPStatus.NO_CONTENT)
async def remove_wish(user_id: Owner, product_id: str, deps: Wired) -> Response:
    """Take a product off the wishlist."""
    await wishlists.remove(deps.database, user_id, parse_id(product_id))
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _add(deps: Deps, user_id: UUID, product_id: UUID) -> Response:
    is_new = await wishlists.add(deps.database, user_id, product_id)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return json_response(WishAdded(product_id=product_id).model_dump_json().encode(), status)

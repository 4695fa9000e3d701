"""Carts over HTTP: each only its owner's."""

from fastapi import APIRouter, Response, status

from common_lib.auth import CurrentUser, ensure_self
from common_lib.problems import StrictRoute
from order_service.api.deps import PathUser, PathVariant, Wired, json_response
from order_service.schemas.carts import CartItemAdd, CartItemSet, CartView

router = APIRouter(prefix="/api/cart/{user_id}", route_class=StrictRoute, tags=["cart"])


@router.post("", response_model=CartView)
async def add(user_id: PathUser, body: CartItemAdd, caller: CurrentUser, deps: Wired) -> Response:
    ensure_self(caller, user_id)
    return json_response(await deps.carts.add(user_id, body.variant_id, body.quantity))


@router.get("", response_model=CartView)
async def view(user_id: PathUser, caller: CurrentUser, deps: Wired) -> Response:
    ensure_self(caller, user_id)
    return json_response(await deps.carts.view(user_id))


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def clear(user_id: PathUser, caller: CurrentUser, deps: Wired) -> Response:
    ensure_self(caller, user_id)
    await deps.carts.clear(user_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.put("/items/{variant_id}", response_model=CartView)
async def set_quantity(
    user_id: PathUser,
    variant_id: PathVariant,
    body: CartItemSet,
    caller: CurrentUser,
    deps: Wired,
) -> Response:
    ensure_self(caller, user_id)
    return json_response(await deps.carts.set_quantity(user_id, variant_id, body.quantity))


@router.delete("/items/{variant_id}", response_model=CartView)
async def remove(
    user_id: PathUser, variant_id: PathVariant, caller: CurrentUser, deps: Wired
) -> Response:
    ensure_self(caller, user_id)
    return json_response(await deps.carts.remove(user_id, variant_id))

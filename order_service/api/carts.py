"""Carts over HTTP: each only its owner's."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from common_lib.auth import (
    Authenticator,
    CurrentUser,
    Role,
    ServiceName,
    Unauthenticated,
    ensure_self,
    require_service,
)
from common_lib.errors import FieldError
from common_lib.idempotency import optional_key
from common_lib.problems import StrictRoute
from order_service.api.deps import KeyHeader, PathUser, PathVariant, Wired, json_response
from order_service.schemas.carts import (
    CartItemAdd,
    CartItemSet,
    CartMerge,
    CartTakeOver,
    CartView,
    MergedCartView,
)
from order_service.services.carts import GuestTokenInvalid

router = APIRouter(prefix="/api/cart/{user_id}", route_class=StrictRoute, tags=["cart"])
internal = APIRouter(prefix="/internal", route_class=StrictRoute, tags=["internal"])


@router.post("", response_model=CartView)
async def add(
    user_id: PathUser,
    body: CartItemAdd,
    caller: CurrentUser,
    deps: Wired,
    header: KeyHeader = None,
) -> Response:
    """Put an item into the cart; the same Idempotency-Key twice puts it there once."""
    ensure_self(caller, user_id)
    key = optional_key(header)
    return json_response(await deps.carts.add(user_id, body.variant_id, body.quantity, key=key))


@router.get("", response_model=CartView)
async def view(user_id: PathUser, caller: CurrentUser, deps: Wired) -> Response:
    """Read the cart at the prices of now."""
    ensure_self(caller, user_id)
    return json_response(await deps.carts.view(user_id))


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def clear(user_id: PathUser, caller: CurrentUser, deps: Wired) -> Response:
    """Empty the cart."""
    ensure_self(caller, user_id)
    await deps.carts.clear(user_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.put("/items/{variant_id}", response_model=CartView)
async def set_quantity(
    *,
    user_id: PathUser,
    variant_id: PathVariant,
    body: CartItemSet,
    caller: CurrentUser,
    deps: Wired,
    header: KeyHeader = None,
) -> Response:
    """Set the quantity of an item."""
    ensure_self(caller, user_id)
    key, quantity = optional_key(header), body.quantity
    return json_response(await deps.carts.set_quantity(user_id, variant_id, quantity, key=key))


@router.delete("/items/{variant_id}", response_model=CartView)
async def remove(
    user_id: PathUser, variant_id: PathVariant, caller: CurrentUser, deps: Wired
) -> Response:
    """Take an item out of the cart."""
    ensure_self(caller, user_id)
    return json_response(await deps.carts.remove(user_id, variant_id))


async def _guest(body: CartMerge, request: Request) -> UUID:
    """Return the guest whose token was sent: only who holds it can name that cart."""
    authenticator: Authenticator = request.app.state.authenticator
    try:
        principal = await authenticator.verifier.verify(body.guest_token)
        guest = await authenticator.sessions.current(principal)
    except Unauthenticated:
        guest = None
    if guest is None or guest.role is not Role.GUEST:
        code, title = GuestTokenInvalid.code, GuestTokenInvalid.title
        raise GuestTokenInvalid(errors=[FieldError("/guestToken", code, title)])
    return guest.user_id


@router.post("/merge", response_model=MergedCartView)
async def merge(
    user_id: PathUser, body: CartMerge, caller: CurrentUser, request: Request, deps: Wired
) -> Response:
    """Bring a guest's cart into the own one."""
    ensure_self(caller, user_id)
    return json_response(await deps.carts.merge(user_id, await _guest(body, request)))


@internal.post(
    "/carts/{user_id}/merge",
    status_code=status.HTTP_204_NO_CONTENT,
    dependencies=[Depends(require_service(ServiceName.USER))],
    include_in_schema=False,
)
async def take_over(user_id: PathUser, body: CartTakeOver, deps: Wired) -> Response:
    await deps.carts.take_over(user_id, body.guest_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)

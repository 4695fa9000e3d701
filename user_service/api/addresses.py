"""Addresses over HTTP."""

from fastapi import APIRouter, Response, status

from common_lib.auth import CurrentUser, ensure_self
from common_lib.problems import StrictRoute
from user_service.api.deps import PathAddressId, PathUserId, Wiring
from user_service.api.shapes import address_body
from user_service.schemas.addresses import AddressList, AddressRequest, AddressResponse

router = APIRouter(
    prefix="/api/users/{user_id}/addresses", route_class=StrictRoute, tags=["addresses"]
)


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(
    user_id: PathUserId,
    body: AddressRequest,
    principal: CurrentUser,
    deps: Wiring,
    response: Response,
) -> AddressResponse:
    """Add an address; the first one is the default."""
    ensure_self(principal, user_id)
    address = await deps.addresses.add(user_id, body)
    response.headers["Location"] = f"/api/users/{user_id}/addresses/{address.id}"
    return address_body(address)


@router.get("")
async def of_user(user_id: PathUserId, principal: CurrentUser, deps: Wiring) -> AddressList:
    """List the addresses, the default one first."""
    ensure_self(principal, user_id, admin_ok=True)
    found = await deps.addresses.of_user(user_id)
    return AddressList(items=[address_body(address) for address in found])


@router.put("/{address_id}")
async def change(
    user_id: PathUserId,
    address_id: PathAddressId,
    body: AddressRequest,
    principal: CurrentUser,
    deps: Wiring,
) -> AddressResponse:
    """Replace an address."""
    ensure_self(principal, user_id)
    return address_body(await deps.addresses.change(user_id, address_id, body))


@router.delete("/{address_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove(
    user_id: PathUserId, address_id: PathAddressId, principal: CurrentUser, deps: Wiring
) -> None:
    """Remove an address; another one becomes the default."""
    ensure_self(principal, user_id)
    await deps.addresses.remove(user_id, address_id)


@router.patch("/{address_id}/default")
async def make_default(
    user_id: PathUserId, address_id: PathAddressId, principal: CurrentUser, deps: Wiring
) -> AddressResponse:
    """Make an address the default one."""
    ensure_self(principal, user_id)
    return address_body(await deps.addresses.make_default(user_id, address_id))

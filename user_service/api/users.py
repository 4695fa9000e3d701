"""Accounts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from common_lib.auth import (
    CurrentUser,
    Principal,
    Role,
    ensure_self,
    require_role,
    require_service,
)
from common_lib.problems import StrictRoute, parse_id
from user_service.api.deps import CallerAddress, IfMatch, PathUserId, Wiring, etag
from user_service.api.shapes import contact_body, user_body
from user_service.schemas.users import (
    ContactResponse,
    ProfileRequest,
    RegisterRequest,
    RoleRequest,
    StatusRequest,
    UserResponse,
)

router = APIRouter(route_class=StrictRoute, tags=["users"])

Admin = Annotated[Principal, Depends(require_role(Role.ADMIN))]


@router.post("/api/users", status_code=status.HTTP_201_CREATED)
async def register(
    body: RegisterRequest, deps: Wiring, caller: CallerAddress, response: Response
) -> UserResponse:
    user = await deps.users.register(body, caller)
    response.headers["Location"] = f"/api/users/{user.id}"
    response.headers["ETag"] = etag(user.version)
    return user_body(user)


@router.get("/api/users/{user_id}")
async def profile(
    user_id: PathUserId, principal: CurrentUser, deps: Wiring, response: Response
) -> UserResponse:
    ensure_self(principal, user_id, admin_ok=True)
    user = await deps.users.profile(user_id)
    response.headers["ETag"] = etag(user.version)
    return user_body(user)


@router.put("/api/users/{user_id}")
async def update(
    *,
    user_id: PathUserId,
    body: ProfileRequest,
    principal: CurrentUser,
    deps: Wiring,
    caller: CallerAddress,
    if_match: IfMatch,
    response: Response,
) -> UserResponse:
    ensure_self(principal, user_id, admin_ok=True)
    user = await deps.users.update(
        user_id, body, caller=principal, caller_ip=caller, expected_versions=if_match
    )
    response.headers["ETag"] = etag(user.version)
    return user_body(user)


@router.patch("/api/users/{user_id}/role")
async def set_role(
    user_id: PathUserId, body: RoleRequest, admin: Admin, deps: Wiring
) -> UserResponse:
    return user_body(await deps.users.set_role(user_id, body.role, by=admin))


@router.patch("/api/users/{user_id}/status")
async def set_status(
    user_id: PathUserId, body: StatusRequest, admin: Admin, deps: Wiring
) -> UserResponse:
    return user_body(await deps.users.set_status(user_id, body.status, by=admin))


def _asked_address(
    address_id: Annotated[str | None, Query(alias="addressId")] = None,
) -> UUID | None:
    return parse_id(address_id) if address_id is not None else None


@router.get(
    "/internal/users/{user_id}/contact",
    dependencies=[Depends(require_service())],
    include_in_schema=False,
)
async def contact(
    user_id: PathUserId,
    deps: Wiring,
    address_id: Annotated[UUID | None, Depends(_asked_address)],
) -> ContactResponse:
    return contact_body(*await deps.users.contact(user_id, address_id))

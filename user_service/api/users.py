"""Accounts over HTTP."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status

from common_lib.auth import (
    CurrentUser,
    Principal,
    Role,
    ServiceName,
    ensure_self,
    require_role,
    require_service,
)
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.problems import StrictRoute, parse_id
from user_service.api.deps import CallerAddress, IfMatch, PathUserId, Wiring, etag
from user_service.api.shapes import contact_body, user_body
from user_service.queries.accounts import UserFilter
from user_service.schemas.users import (
    ContactResponse,
    EraseRequest,
    ProfileRequest,
    RegisterRequest,
    RoleRequest,
    StatusRequest,
    UserList,
    UserResponse,
    UsersQuery,
)

router = APIRouter(route_class=StrictRoute, tags=["users"])

_NEWEST: Final = "users"

Admin = Annotated[Principal, Depends(require_role(Role.ADMIN))]


@router.post("/api/users", status_code=status.HTTP_201_CREATED)
async def register(
    body: RegisterRequest, deps: Wiring, caller: CallerAddress, response: Response
) -> UserResponse:
    """Open an account."""
    user = await deps.users.register(body, caller)
    response.headers["Location"] = f"/api/users/{user.id}"
    response.headers["ETag"] = etag(user.version)
    return user_body(user)


@router.get("/api/users")
async def users(
    *,
    asked: Annotated[UsersQuery, Query()],
    admin: Admin,
    deps: Wiring,
    request: Request,
    response: Response,
) -> UserList:
    """List accounts, the newest first."""
    del admin
    before = decode_cursor(asked.cursor, _NEWEST)[1] if asked.cursor is not None else None
    wanted = UserFilter(asked.role, asked.status, asked.email, before)
    found = await deps.users.newest(wanted, asked.limit + 1)
    shown = found[: asked.limit]
    cursor = encode_cursor(_NEWEST, None, shown[-1].id) if len(found) > asked.limit else None
    if cursor is not None:
        following = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    response.headers["Cache-Control"] = "no-store"
    return UserList(items=[user_body(user) for user in shown], next_cursor=cursor)


@router.get("/api/users/{user_id}")
async def profile(
    user_id: PathUserId, principal: CurrentUser, deps: Wiring, response: Response
) -> UserResponse:
    """Read a profile."""
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
    """Change a profile; another e-mail address needs the current password."""
    ensure_self(principal, user_id, admin_ok=True)
    user = await deps.users.update(
        user_id, body, caller=principal, caller_ip=caller, expected_versions=if_match
    )
    response.headers["ETag"] = etag(user.version)
    return user_body(user)


@router.delete("/api/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
async def erase(
    *,
    user_id: PathUserId,
    principal: CurrentUser,
    deps: Wiring,
    caller: CallerAddress,
    body: EraseRequest | None = None,
) -> None:
    """Anonymise the account; its orders stay. One's own needs the current password."""
    ensure_self(principal, user_id, admin_ok=True)
    password = body.current_password if body is not None else None
    await deps.erasure.erase(user_id, caller=principal, caller_ip=caller, password=password)


@router.patch("/api/users/{user_id}/role")
async def set_role(
    user_id: PathUserId, body: RoleRequest, admin: Admin, deps: Wiring
) -> UserResponse:
    """Set the role of an account."""
    return user_body(await deps.users.set_role(user_id, body.role, by=admin))


@router.patch("/api/users/{user_id}/status")
async def set_status(
    user_id: PathUserId, body: StatusRequest, admin: Admin, deps: Wiring
) -> UserResponse:
    """Suspend or reinstate an account."""
    return user_body(await deps.users.set_status(user_id, body.status, by=admin))


def _asked_address(
    address_id: Annotated[str | None, Query(alias="addressId")] = None,
) -> UUID | None:
    return parse_id(address_id) if address_id is not None else None


@router.get(
    "/internal/users/{user_id}/contact",
    dependencies=[Depends(require_service(ServiceName.ORDER, ServiceName.NOTIFICATION))],
    include_in_schema=False,
)
async def contact(
    user_id: PathUserId,
    deps: Wiring,
    address_id: Annotated[UUID | None, Depends(_asked_address)],
) -> ContactResponse:
    return contact_body(*await deps.users.contact(user_id, address_id))

"""Sessions over HTTP."""

from typing import Any

from fastapi import APIRouter, Response, status

from common_lib.auth import JWKS_REFETCH_S, CurrentUser
from common_lib.problems import StrictRoute
from user_service.api.deps import CallerAddress, Wiring
from user_service.api.shapes import token_body
from user_service.schemas.auth import GuestRequest, LoginRequest, RefreshRequest, TokenResponse

router = APIRouter(route_class=StrictRoute, tags=["auth"])

# RFC 6749, 5.1: an answer that holds tokens is kept by nobody.
_UNCACHED = {"Cache-Control": "no-store"}


@router.post("/api/auth/login")
async def login(
    body: LoginRequest, deps: Wiring, caller: CallerAddress, response: Response
) -> TokenResponse:
    response.headers.update(_UNCACHED)
    return token_body(await deps.auth.login(body, caller))


@router.post("/api/auth/refresh")
async def refresh(body: RefreshRequest, deps: Wiring, response: Response) -> TokenResponse:
    response.headers.update(_UNCACHED)
    return token_body(await deps.auth.refresh(body.refresh_token))


@router.post("/api/auth/guest", status_code=status.HTTP_201_CREATED)
async def visit(
    deps: Wiring, caller: CallerAddress, response: Response, body: GuestRequest | None = None
) -> TokenResponse:
    del body
    response.headers.update(_UNCACHED)
    return token_body(await deps.auth.visit(caller))


@router.post("/api/auth/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(principal: CurrentUser, deps: Wiring) -> None:
    await deps.auth.logout(principal)


@router.post("/api/auth/logout-all", status_code=status.HTTP_204_NO_CONTENT)
async def logout_all(principal: CurrentUser, deps: Wiring) -> None:
    await deps.auth.logout_all(principal)


@router.get("/.well-known/jwks.json")
async def jwks(deps: Wiring, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = f"public, max-age={JWKS_REFETCH_S:.0f}"
    return deps.jwks()

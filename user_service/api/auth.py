"""Logging in and out over HTTP."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response, status

from common_lib.auth import JWKS_REFETCH_S, CurrentUser
from common_lib.problems import StrictRoute
from user_service.api.deps import CallingDevice, Wiring, given_guest
from user_service.api.shapes import merged_body, mfa_body, token_body
from user_service.schemas.auth import (
    GuestRequest,
    LoginRequest,
    MergedTokenResponse,
    MfaRequiredResponse,
    RefreshRequest,
    TokenResponse,
)
from user_service.schemas.mfa import ChallengeRequest
from user_service.services.logins import MfaNeeded

router = APIRouter(route_class=StrictRoute, tags=["auth"])

# RFC 6749, 5.1: an answer that holds tokens is kept by nobody.
UNCACHED: Final = {"Cache-Control": "no-store"}


@router.post("/api/auth/login")
async def login(
    body: LoginRequest, deps: Wiring, device: CallingDevice, request: Request, response: Response
) -> MergedTokenResponse | TokenResponse | MfaRequiredResponse:
    """Log in by password."""
    response.headers.update(UNCACHED)
    issued = await deps.logins.login(body, device)
    if isinstance(issued, MfaNeeded):
        return mfa_body(issued)
    guest = given_guest(request, body.guest_token)
    cart = await deps.guest_carts.take_over(guest, issued.visitor.id)
    return merged_body(issued, cart) if cart else token_body(issued)


@router.post("/api/auth/mfa/challenge")
async def challenge(
    body: ChallengeRequest,
    deps: Wiring,
    device: CallingDevice,
    request: Request,
    response: Response,
) -> MergedTokenResponse | TokenResponse:
    """Finish a login with the second factor."""
    response.headers.update(UNCACHED)
    issued = await deps.logins.finish(body.mfa_token, body, device)
    guest = given_guest(request, body.guest_token)
    cart = await deps.guest_carts.take_over(guest, issued.visitor.id)
    return merged_body(issued, cart) if cart else token_body(issued)


@router.post("/api/auth/refresh")
async def refresh(
    body: RefreshRequest, deps: Wiring, device: CallingDevice, response: Response
) -> TokenResponse:
    """Exchange a refresh token for new tokens."""
    response.headers.update(UNCACHED)
    return token_body(await deps.sessions.refresh(body.refresh_token, device))


@router.post("/api/auth/guest", status_code=status.HTTP_201_CREATED)
async def visit(
    deps: Wiring, device: CallingDevice, response: Response, body: GuestRequest | None = None
) -> TokenResponse:
    """Begin a visit as a guest."""
    del body
    response.headers.update(UNCACHED)
    return token_body(await deps.logins.visit(device))


@router.post("/api/auth/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(principal: CurrentUser, deps: Wiring) -> None:
    """End this session."""
    await deps.sessions.logout(principal)


@router.post("/api/auth/logout-all", status_code=status.HTTP_204_NO_CONTENT)
async def logout_all(principal: CurrentUser, deps: Wiring) -> None:
    """End all own sessions."""
    await deps.sessions.logout_all(principal)


@router.get("/.well-known/jwks.json")
async def jwks(deps: Wiring, response: Response) -> dict[str, Any]:
    """Read the public keys that tokens are signed with."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_REFETCH_S:.0f}"
    return deps.jwks()

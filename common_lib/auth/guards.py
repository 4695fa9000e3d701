"""What an endpoint asks for: the caller, a role, a service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request
from redis.asyncio import Redis

from common_lib.auth.keys import KeySource, remote_keys
from common_lib.auth.principals import (
    Principal,
    Role,
    RoleNotAllowed,
    ServiceName,
    Unauthenticated,
)
from common_lib.auth.sessions import Sessions
from common_lib.auth.tokens import ServiceTokens, TokenVerifier
from common_lib.errors import NotFound
from common_lib.settings import ServiceSettings

# Those that change nothing (RFC 9110, 9.2.1).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a service needs to know its callers; kept at `app.state.authenticator`."""

    verifier: TokenVerifier
    sessions: Sessions
    services: ServiceTokens


@asynccontextmanager
async def authentication(
    settings: ServiceSettings,
    redis: Redis,
    services: ServiceTokens,
    keys: KeySource | None = None,
) -> AsyncIterator[Authenticator]:
    """Open a service's way of knowing its callers; `keys` replaces the user service's."""
    async with AsyncExitStack() as opened:
        source = keys
        if source is None:
            source = await opened.enter_async_context(remote_keys(settings.jwks_url))
        verifier = TokenVerifier(source, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        yield Authenticator(verifier, Sessions(redis), services)


def bearer_token(request: Request) -> str:
    """Return the token of the one Authorization header. Raises Unauthenticated."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


async def current_user(request: Request) -> Principal:
    """FastAPI dependency: the caller, with revocation and today's role applied."""
    authenticator: Authenticator = request.app.state.authenticator
    principal = await authenticator.verifier.verify(bearer_token(request))
    is_write = request.method not in SAFE_METHODS
    return await authenticator.sessions.current(principal, is_write=is_write)


async def maybe_user(request: Request) -> Principal | None:
    """FastAPI dependency: the caller if a token was sent; a bad token is refused all the same."""
    return await current_user(request) if "authorization" in request.headers else None


CurrentUser = Annotated[Principal, Depends(current_user)]
MaybeUser = Annotated[Principal | None, Depends(maybe_user)]


def require_role(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that admits these roles only. Raises RoleNotAllowed."""

    # A coroutine, because FastAPI gives a plain function a thread of its own.
    async def admitted(principal: CurrentUser) -> Principal:
        if principal.role not in roles:
            raise RoleNotAllowed
        return principal

    return admitted


def require_service(*names: ServiceName) -> Callable[[Request], Awaitable[str]]:
    """Return a dependency that admits these services only, by service token; unnamed, nobody.

    Raises RoleNotAllowed for the token of another service, and what `ServiceTokens.verify` raises.
    """

    # A coroutine, because FastAPI gives a plain function a thread of its own.
    async def admitted(request: Request) -> str:
        authenticator: Authenticator = request.app.state.authenticator
        service = authenticator.services.verify(bearer_token(request))
        if service not in names:
            raise RoleNotAllowed("this service may not call that")
        return service

    return admitted


def ensure_self(principal: Principal, user_id: UUID, *, admin_ok: bool = False) -> None:
    """Raise NotFound unless the caller is that user: others' ids look like unknown ones."""
    if principal.user_id == user_id or (admin_ok and principal.is_admin):
        return
    raise NotFound

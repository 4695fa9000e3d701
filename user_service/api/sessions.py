"""A user's devices over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from common_lib.auth import CurrentUser
from common_lib.cursors import MAX_LENGTH
from common_lib.problems import StrictRoute
from user_service.api.deps import PathSessionId, Wiring
from user_service.api.shapes import devices_body
from user_service.schemas.sessions import SessionList

router = APIRouter(prefix="/api/auth/sessions", route_class=StrictRoute, tags=["auth"])


@router.get("")
async def devices(
    *,
    principal: CurrentUser,
    deps: Wiring,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=MAX_LENGTH)] = None,
) -> SessionList:
    """List the devices that are logged in."""
    page = devices_body(await deps.sessions.of_user(principal, cursor, limit))
    response.headers["Cache-Control"] = "no-store"
    if page.next_cursor:
        following = f"{request.url.path}?limit={limit}&cursor={page.next_cursor}"
        response.headers["Link"] = f'<{following}>; rel="next"'
    return page


@router.delete("/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def end(session_id: PathSessionId, principal: CurrentUser, deps: Wiring) -> None:
    """End one of the own sessions."""
    await deps.sessions.end(principal, session_id)

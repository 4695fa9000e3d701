"""Passwords changed, forgotten and set anew over HTTP."""

from typing import Final

from fastapi import APIRouter, status

from common_lib.auth import CurrentUser, ensure_self
from common_lib.problems import StrictRoute
from user_service.api.deps import CallerAddress, IfMatch, PathUserId, Wiring
from user_service.schemas.credentials import (
    ForgotRequest,
    MailedResponse,
    PasswordRequest,
    ResetRequest,
)

router = APIRouter(route_class=StrictRoute)

_MAILED: Final = MailedResponse(
    detail="If there is an account with this e-mail address, a link is on its way to it."
)


@router.put("/api/users/{user_id}/password", status_code=status.HTTP_204_NO_CONTENT, tags=["users"])
async def change_password(
    *,
    user_id: PathUserId,
    body: PasswordRequest,
    principal: CurrentUser,
    deps: Wiring,
    caller: CallerAddress,
    if_match: IfMatch,
) -> None:
    """Change the own password and end all other sessions."""
    ensure_self(principal, user_id)
    await deps.password_changes.change(
        body, caller=principal, caller_ip=caller, expected_versions=if_match
    )


@router.post("/api/auth/password/forgot", status_code=status.HTTP_202_ACCEPTED, tags=["auth"])
async def forgot_password(
    body: ForgotRequest, deps: Wiring, caller: CallerAddress
) -> MailedResponse:
    """Ask for a link to reset the password."""
    await deps.password_resets.ask(body.email, caller)
    return _MAILED


@router.post("/api/auth/password/reset", status_code=status.HTTP_204_NO_CONTENT, tags=["auth"])
async def reset_password(body: ResetRequest, deps: Wiring) -> None:
    """Set a new password with the token of the link."""
    await deps.password_resets.reset(body)

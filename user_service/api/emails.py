"""E-mail addresses proven over HTTP."""

from typing import Final

from fastapi import APIRouter, status

from common_lib.auth import CurrentUser
from common_lib.problems import StrictRoute
from user_service.api.deps import Wiring
from user_service.schemas.credentials import MailedResponse, VerifyRequest

router = APIRouter(prefix="/api/auth/email", route_class=StrictRoute, tags=["auth"])

_MAILED: Final = MailedResponse(detail="A new link is on its way to your e-mail address.")


@router.post("/verify", status_code=status.HTTP_204_NO_CONTENT)
async def verify_email(body: VerifyRequest, deps: Wiring) -> None:
    """Prove an e-mail address by the token of its link."""
    await deps.email_verification.verify(body.token)


@router.post("/resend", status_code=status.HTTP_202_ACCEPTED)
async def resend_verification(principal: CurrentUser, deps: Wiring) -> MailedResponse:
    """Ask for another link to prove the e-mail address."""
    await deps.email_verification.resend(principal.user_id)
    return _MAILED

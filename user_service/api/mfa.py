"""Setting the second factor up and taking it away, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response, status

from common_lib.auth import Principal, Role, require_role
from common_lib.problems import StrictRoute
from user_service.api.deps import CallerAddress, Wiring
from user_service.schemas.mfa import (
    ConfirmRequest,
    DisableRequest,
    EnrolRequest,
    EnrolResponse,
    RecoveryCodesResponse,
)

router = APIRouter(prefix="/api/auth/mfa", route_class=StrictRoute, tags=["auth"])

# A guest has no account to protect.
Holder = Annotated[Principal, Depends(require_role(Role.CUSTOMER, Role.SELLER, Role.ADMIN))]


@router.post("/enrol")
async def enrol(
    body: EnrolRequest, holder: Holder, deps: Wiring, caller: CallerAddress, response: Response
) -> EnrolResponse:
    """Begin to set up an authenticator."""
    response.headers["Cache-Control"] = "no-store"
    enrolment = await deps.second_factor.enrol(holder, caller, body.password)
    return EnrolResponse(secret=enrolment.secret, otpauth_uri=enrolment.uri)


@router.post("/confirm")
async def confirm(
    body: ConfirmRequest, holder: Holder, deps: Wiring, response: Response
) -> RecoveryCodesResponse:
    """Turn two-step login on with a first code."""
    response.headers["Cache-Control"] = "no-store"
    codes = await deps.second_factor.confirm(holder, body.code)
    return RecoveryCodesResponse(recovery_codes=codes)


@router.post("/disable", status_code=status.HTTP_204_NO_CONTENT)
async def disable(
    body: DisableRequest, holder: Holder, deps: Wiring, caller: CallerAddress
) -> None:
    """Turn two-step login off."""
    await deps.second_factor.disable(holder, caller, body.password, body)

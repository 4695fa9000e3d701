"""Logging in and out as it travels over HTTP."""

from typing import Literal

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.emails import AskedEmail
from user_service.schemas.enums import GuestCart
from user_service.schemas.fields import GivenPassword, RefreshTokenText
from user_service.schemas.mfa import GuestToken
from user_service.schemas.users import UserResponse


class LoginRequest(RequestModel):
    """An address of any shape is looked up: a malformed one is an unknown account."""

    email: AskedEmail
    password: GivenPassword
    guest_token: GuestToken | None = None


class RefreshRequest(RequestModel):
    refresh_token: RefreshTokenText


class GuestRequest(RequestModel):
    pass


class TokenResponse(ApiModel):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, not a secret
    expires_in: int
    user: UserResponse


class GuestCartResponse(ApiModel):
    """What became of the guest's cart; one that is PENDING is merged by a POST to `mergeUrl`."""

    status: GuestCart
    merge_url: str | None = None


class MergedTokenResponse(TokenResponse):
    """The answer of a login that brought a guest's token along."""

    guest_cart: GuestCartResponse


class MfaRequiredResponse(ApiModel):
    """The password was right, and there are no tokens yet: POST /api/auth/mfa/challenge."""

    mfa_required: Literal[True] = True
    mfa_token: str
    expires_in: int

"""Logging in and out as it travels over HTTP."""

from typing import Annotated

from pydantic import AfterValidator, Field

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.fields import GivenPassword, RefreshTokenText, normalise_email
from user_service.schemas.users import UserResponse


class LoginRequest(RequestModel):
    """An address of any shape is looked up: a malformed one is an unknown account."""

    email: Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
    password: GivenPassword


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

"""Passwords and e-mail addresses being changed and proven, as they travel over HTTP."""

from typing import Annotated

from pydantic import AfterValidator, Field

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.fields import GivenPassword, NewPassword, normalise_email

# Whatever is no token of ours is answered like one that was used.
TokenText = Annotated[str, Field(min_length=1, max_length=512)]


class PasswordRequest(RequestModel):
    current_password: GivenPassword
    new_password: NewPassword


class ForgotRequest(RequestModel):
    """An address of any shape is taken: the answer tells nothing about it."""

    email: Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]


class ResetRequest(RequestModel):
    token: TokenText
    new_password: NewPassword


class VerifyRequest(RequestModel):
    token: TokenText


class MailedResponse(ApiModel):
    """What is answered whether or not there is somebody to write to."""

    detail: str

"""Passwords and e-mail addresses being changed and proven, as they travel over HTTP."""

from typing import Annotated

from pydantic import Field

from common_lib.problems import ApiModel, RequestModel
from common_lib.text import Verbatim
from user_service.schemas.emails import AskedEmail
from user_service.schemas.fields import GivenPassword, NewPassword

# Whatever is no token of ours is answered like one that was used.
TokenText = Annotated[
    str, Field(min_length=1, max_length=512), Verbatim("a token opens something or does not")
]


class PasswordRequest(RequestModel):
    current_password: GivenPassword
    new_password: NewPassword


class ForgotRequest(RequestModel):
    """An address of any shape is taken: the answer tells nothing about it."""

    email: AskedEmail


class ResetRequest(RequestModel):
    token: TokenText
    new_password: NewPassword


class VerifyRequest(RequestModel):
    token: TokenText


class MailedResponse(ApiModel):
    """What is answered whether or not there is somebody to write to."""

    detail: str

"""Secrets as they are sent: taken exactly as typed."""

from typing import Annotated, Final

from pydantic import Field

from common_lib.text import Verbatim

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 1024

NewPassword = Annotated[
    str,
    Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH),
    Verbatim("a password is taken as it was typed"),
]
# A password that is only compared: its shape must not tell anything.
GivenPassword = Annotated[
    str,
    Field(min_length=1, max_length=MAX_PASSWORD_LENGTH),
    Verbatim("a password is compared as it was typed"),
]
RefreshTokenText = Annotated[
    str, Field(min_length=1, max_length=2048), Verbatim("a token opens something or does not")
]

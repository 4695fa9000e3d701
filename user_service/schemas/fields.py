"""The kinds of text that accounts and addresses are made of."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from common_lib.text import Verbatim

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 1024
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3 with the erratum 1690
MAX_LOCAL_PART_LENGTH: Final = 64

# What a browser takes as an e-mail address (HTML, 4.10.5.1.5), with at least two labels.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL: Final = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+")
# Never delivered to (RFC 2606, 2): such an address stands for an account that was erased.
_RESERVED_DOMAIN: Final = ".invalid"


def normalise_email(text: str) -> str:
    """Return the one spelling an account is stored and found under."""
    return text.strip().lower()


def _email(text: str) -> str:
    email = normalise_email(text)
    local_part, _, _ = email.partition("@")
    if len(email) > MAX_EMAIL_LENGTH or len(local_part) > MAX_LOCAL_PART_LENGTH:
        raise ValueError("the e-mail address is too long")
    if not _EMAIL.fullmatch(email):
        raise ValueError("this is not an e-mail address")
    if email.endswith(_RESERVED_DOMAIN):
        raise ValueError("no mail can be delivered there")
    return email


Email = Annotated[
    str,
    Field(max_length=320),
    AfterValidator(_email),
    Verbatim("an e-mail address has rules of its own"),
]
# Whatever is no address of an account is answered like an unknown one.
AskedEmail = Annotated[
    str,
    Field(max_length=320),
    AfterValidator(normalise_email),
    Verbatim("an address of any shape is looked up"),
]
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

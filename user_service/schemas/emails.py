"""E-mail addresses: which are taken, and the one spelling that an account is kept under.

A domain in other letters than ASCII is kept in its ASCII form (Punycode, RFC 5890), because that is
how mail gets there, and because one unique key then covers every way to type it. The part before
the @ is ASCII, because SES delivers to no other (SMTPUTF8), and in lower case, because hardly any
mail server tells case apart. What follows a + is part of the address.
"""

from typing import Annotated, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from common_lib.text import Verbatim

INVALID: Final = "invalid_email"
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3 with the erratum 1690
MAX_LOCAL_LENGTH: Final = 64
MAX_ASKED_LENGTH: Final = 320

_WANTED: Final = "Write an e-mail address such as name@example.com"
_TOO_LONG: Final = "The e-mail address is too long: 64 characters before the @, 254 in all"
_FOREIGN: Final = "Write what stands before the @ in letters a to z: other letters get no mail"


def canonical_email(text: str) -> str:
    """Return the spelling an account is kept under. Raises PydanticCustomError."""
    given = text.strip()
    try:
        # Domains under .test are for tests, and were always taken; no name is looked up.
        found = validate_email(
            given, strict=True, check_deliverability=False, test_environment=True
        )
    except EmailNotValidError:
        raise PydanticCustomError(INVALID, _TOO_LONG if _is_long(given) else _WANTED) from None
    if found.ascii_email is None:
        raise PydanticCustomError(INVALID, _FOREIGN)
    email = found.ascii_email.lower()
    if len(email) > MAX_EMAIL_LENGTH:
        raise PydanticCustomError(INVALID, _TOO_LONG)
    if "." not in email.rpartition("@")[2]:
        raise PydanticCustomError(INVALID, _WANTED)
    return email


def asked_email(text: str) -> str:
    """Return what to look an account up by, whatever was typed; what is no address finds none."""
    try:
        return canonical_email(text)
    except PydanticCustomError:
        return text.strip().lower()[:MAX_ASKED_LENGTH]


def _is_long(text: str) -> bool:
    return len(text) > MAX_EMAIL_LENGTH or len(text.partition("@")[0]) > MAX_LOCAL_LENGTH


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Email = Annotated[
    str,
    Field(max_length=MAX_ASKED_LENGTH),
    AfterValidator(canonical_email),
    Verbatim("an e-mail address has rules of its own"),
]
# Whatever is no address of an account is answered like an unknown one.
AskedEmail = Annotated[
    str,
    Field(max_length=MAX_ASKED_LENGTH),
    AfterValidator(asked_email),
    Verbatim("an address of any shape is looked up"),
]
# A whole address in any of its spellings, or how the kept one begins.
EmailBeginning = Annotated[
    Annotated[
        str,
        AfterValidator(asked_email),
        Field(min_length=3, max_length=MAX_EMAIL_LENGTH),
        Verbatim("compared with how addresses begin"),
    ]
    | None,
    BeforeValidator(_blank_is_none),
]

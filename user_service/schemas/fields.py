"""The kinds of text that accounts and addresses are made of."""

import re
from typing import Annotated, Final

from babel import Locale
from pydantic import AfterValidator, BeforeValidator, Field

from common_lib.text import OneLine, Shaped, Verbatim

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 1024
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3 with the erratum 1690
MAX_LOCAL_PART_LENGTH: Final = 64

# What a browser takes as an e-mail address (HTML, 4.10.5.1.5), with at least two labels.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL: Final = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+")
# Never delivered to (RFC 2606, 2): such an address stands for an account that was erased.
_RESERVED_DOMAIN: Final = ".invalid"
_COUNTRIES: Final = {
    name.casefold(): code
    for code, name in Locale("en").territories.items()
    if len(code) == len("IN") and code.isalpha()
}
_COUNTRY_CODES: Final = frozenset(_COUNTRIES.values())


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


def _country(value: object) -> object:
    """Take an ISO 3166 code or a country's English name; pass anything else on to be refused."""
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    if code in _COUNTRY_CODES:
        return code
    return _COUNTRIES.get(value.strip().casefold(), "")


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
PersonName = Annotated[str, OneLine(120)]
# With its signs no longer than its column.
Phone = Annotated[
    str,
    Shaped(
        r"^\+?\(?[0-9](?:(?: ?[()-] ?| )?[0-9]){5,14}$",
        "Write a phone number of 6 to 15 digits, with + before the code of the country",
        max_length=20,
        is_trimmed=True,
    ),
]
Label = Annotated[str, OneLine(50)]
AddressLine = Annotated[str, OneLine(200)]
Place = Annotated[str, OneLine(100)]
Pincode = Annotated[
    str,
    Shaped(
        r"^[A-Za-z0-9][A-Za-z0-9 -]{1,10}[A-Za-z0-9]$",
        "Write the postal code in letters a to z, digits, spaces and hyphens",
        is_trimmed=True,
    ),
]
Country = Annotated[
    str,
    BeforeValidator(_country),
    Shaped(r"^[A-Z]{2}$", "Name a country by its code of two letters, such as IN, or in English"),
]
RefreshTokenText = Annotated[
    str, Field(min_length=1, max_length=2048), Verbatim("a token opens something or does not")
]

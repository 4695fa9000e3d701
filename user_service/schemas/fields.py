"""The kinds of text that accounts and addresses are made of."""

import re
import unicodedata
from typing import Annotated, Final

from babel import Locale
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 1024
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3 with the erratum 1690
MAX_LOCAL_PART_LENGTH: Final = 64

# What a browser takes as an e-mail address (HTML, 4.10.5.1.5), with at least two labels.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL: Final = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+")
# Never delivered to (RFC 2606, 2): such an address stands for an account that was erased.
_RESERVED_DOMAIN: Final = ".invalid"
# Controls, line separators, and what turns the direction of other people's text around or does not
# belong into text at all. Joiners stay: Indic scripts and emoji are written with them.
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)
_VISIBLE: Final = frozenset("LNPS")
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


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed here")
    if not any(unicodedata.category(character)[0] in _VISIBLE for character in text):
        raise ValueError("nothing of this can be seen")
    return text


def _country(value: object) -> object:
    """Take an ISO 3166 code or a country's English name; pass anything else on to be refused."""
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    if code in _COUNTRY_CODES:
        return code
    return _COUNTRIES.get(value.strip().casefold(), "")


Email = Annotated[str, Field(max_length=320), AfterValidator(_email)]
NewPassword = Annotated[str, Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)]
# A password that is only compared: its shape must not tell anything.
GivenPassword = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD_LENGTH)]
PersonName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_one_line),
]
# With its signs no longer than its column.
Phone = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=20,
        pattern=r"^\+?\(?[0-9](?:(?: ?[()-] ?| )?[0-9]){5,14}$",
    ),
]
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=50),
    AfterValidator(_one_line),
]
AddressLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_one_line),
]
Place = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_one_line),
]
Pincode = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,10}[A-Za-z0-9]$"
    ),
]
Country = Annotated[str, BeforeValidator(_country), Field(pattern=r"^[A-Z]{2}$")]
RefreshTokenText = Annotated[str, Field(min_length=1, max_length=2048)]

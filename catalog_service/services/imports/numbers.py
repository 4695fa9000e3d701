"""Numbers as people's programs write them: `1499.00`, `1,499.00`, `1.499,00`, `1 499`.

What could be read in two ways is refused, never guessed: `1,499` is one and a half to one and
fifteen hundred to another.
"""

import re
from typing import Final

from common_lib.money import decimals

_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_NUMBER: Final = re.compile(r"(-?)(\d[\d., ']*)", re.ASCII)
_SEPARATORS: Final = re.compile(r"[., ']")
# Thousands, or thousands with hundreds of them in pairs as in India: 12,34,567.
_GROUPS: Final = re.compile(r"\d{1,3}(?: \d{3})+|\d{1,2}(?: \d{2})+ \d{3}", re.ASCII)
_POINTS: Final = frozenset(".,")
_GROUP: Final = 3
_LONGEST: Final = 15
_AMBIGUOUS: Final = (
    "one sign with three digits behind it may part thousands or decimals: leave it out, or write"
    " the decimals too"
)


class NoNumber(Exception):
    """A text that is no number, or might be two; `detail` says how to write it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def minor_units(text: str, currency: str) -> int:
    """Read `1499.00` as 149900 paise, `1499` as 1499 yen. Raises NoNumber."""
    places = decimals(currency)
    example = major_units(1499 * 10**places, currency)
    wrong = NoNumber("decimal_parsing", f"write the amount in digits with a point, like {example}")
    sign, whole, fraction = _parts(text, places, wrong)
    fraction = fraction.rstrip("0")
    if len(fraction) > places:
        allowed = f"at most {places} decimals" if places else "no decimals"
        raise NoNumber(wrong.code, f"an amount in {currency} has {allowed}")
    amount = int(whole + fraction.ljust(places, "0"))
    return -amount if sign else amount


def major_units(amount: int, currency: str) -> str:
    """Write 149900 paise as `1499.00`, 1499 yen as `1499`."""
    places = decimals(currency)
    if not places:
        return str(amount)
    return f"{amount // 10**places}.{amount % 10**places:0{places}d}"


def whole_number(text: str) -> int:
    """Read `12`, also where a program wrote `12.0`. Raises NoNumber."""
    wrong = NoNumber("int_parsing", "write a whole number in digits alone, like 12")
    sign, whole, fraction = _parts(text, 0, wrong)
    if fraction.strip("0"):
        raise wrong
    return -int(whole) if sign else int(whole)


def _parts(text: str, places: int, wrong: NoNumber) -> tuple[str, str, str]:
    """Return sign, digits before and digits behind the point. Raises `wrong` or NoNumber."""
    found = _NUMBER.fullmatch(text.translate(_SPACES))
    if found is None:
        raise wrong
    sign, body = found.groups()
    whole, fraction = _split(body, places, wrong)
    if not whole.isdigit() or len(whole) > _LONGEST or not (fraction + "0").isdigit():
        raise wrong
    return sign, whole, fraction


def _split(body: str, places: int, wrong: NoNumber) -> tuple[str, str]:
    used = _SEPARATORS.findall(body)
    if not used:
        return body, ""
    last, others = used[-1], set(used[:-1])
    before, _, behind = body.rpartition(last)
    if not behind:
        raise wrong
    if last in others or last not in _POINTS:
        return _ungrouped(body, wrong), ""
    if not others:
        if _may_be_thousands(before, behind) and not (last == "." and places == _GROUP):
            raise NoNumber(wrong.code, _AMBIGUOUS)
        return before, behind
    return _ungrouped(before, wrong), behind


def _may_be_thousands(before: str, behind: str) -> bool:
    return len(behind) == _GROUP and len(before) <= _GROUP and not before.startswith("0")


def _ungrouped(text: str, wrong: NoNumber) -> str:
    """Return the digits of a number in groups, all parted by one sign. Raises `wrong`."""
    if len(set(_SEPARATORS.findall(text))) != 1:
        raise wrong
    if _GROUPS.fullmatch(_SEPARATORS.sub(" ", text)) is None:
        raise wrong
    return _SEPARATORS.sub("", text)

"""What is said about a member that is missing or wrong: plain words that tell what is wanted.

Pydantic's own sentences speak of Python, of patterns and of how it reads; none of them gets out.
Rules of ours bring their sentence along, which never quotes the input.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic_core.core_schema import ErrorType

from common_lib.errors import FieldError
from common_lib.money import CURRENCY, CURRENCY_WANTED
from common_lib.text import WRONG_SHAPE

_DATE: Final = "Write a day as in 2026-11-30"
_MOMENT: Final = "Write a moment as in 2026-11-30T18:30:00Z"
_CLOCK: Final = "Write a time of the day as in 18:30:00"
_SPAN: Final = "Write a length of time as in PT15M"
_ID: Final = "Write an id of the shop: 36 letters a to f, digits and hyphens"
_WHOLE: Final = "Send a whole number such as 5, in JSON without quotes"
_NUMBER: Final = "Send a number such as 4.5, in JSON without quotes"
_NEARER: Final = "Send a number nearer to zero"
_YES_OR_NO: Final = "Send true or false, in JSON without quotes"
_TEXT: Final = "Send a text, in quotes"
_LIST: Final = "Send a list, in square brackets"
_OBJECT: Final = "Send an object, in curly brackets"
_OTHER: Final = "This value is not of the kind that is wanted here"

# By pydantic's names for what can be wrong; what stands in braces comes with the finding.
SENTENCES: Final[Mapping[str, str]] = {
    "missing": "This is needed and was not sent",
    "extra_forbidden": "There is no member or parameter of this name here: leave it out",
    "none_required": "Send null, or leave it out",
    "string_type": _TEXT,
    "string_unicode": "Send a text that is valid Unicode",
    "string_too_short": "Send a text of {min_length:character} or more",
    "string_too_long": "Send a text of {max_length:character} or fewer",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _NEARER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "Send a number that is not endless",
    "multiple_of": "Send a multiple of {multiple_of}",
    "greater_than": "Send more than {gt}",
    "greater_than_equal": "Send {ge} or more",
    "less_than": "Send less than {lt}",
    "less_than_equal": "Send {le} or less",
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "too_short": "Send {min_length:entry} or more",
    "too_long": "Send {max_length:entry} or fewer",
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "invalid_key": "Names of members are texts",
    "enum": "Choose one of {expected}",
    "literal_error": "Choose one of {expected}",
    "uuid_type": _ID,
    "uuid_parsing": _ID,
    "uuid_version": _ID,
    "is_instance_of": _OTHER,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_naive": "Leave out the time zone",
    "timezone_aware": "Say the time zone, as in 2026-11-30T18:30:00Z",
    "timezone_offset": "Write the moment in the time zone that is wanted",
    "time_type": _CLOCK,
    "time_parsing": _CLOCK,
    "time_delta_type": _SPAN,
    "time_delta_parsing": _SPAN,
    "bytes_type": _TEXT,
    "url_type": "Write a whole address that begins with https://",
    "url_parsing": "Write a whole address that begins with https://",
    "union_tag_invalid": _OTHER,
    "union_tag_not_found": _OTHER,
    "json_invalid": "Send proper JSON",
    "json_type": "Send proper JSON",
}
# Shapes that pydantic checks by itself, because they are checked for every amount of every answer.
SHAPES: Final[Mapping[str, str]] = {CURRENCY: CURRENCY_WANTED}
_PYDANTICS: Final = frozenset(get_args(ErrorType)) - {"value_error"}

_OF_NUMBERS: Final = frozenset({"int_type", "int_from_float", "int_parsing_size"})
_END_OF_WHOLE: Final = 2.0**63
_MEMBER_FIRST: Final = re.compile(r"[a-z]+[A-Z]")
_DAY: Final = re.compile(r"Send \d{4}-\d\d-\d\d")
_IN_JSON: Final = re.compile(r", in (?:JSON without )?quotes$")
_GAP: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")
_PLURALS: Final[Mapping[str, str]] = {"character": "characters", "entry": "entries"}


def sentence_of(finding: Mapping[str, Any]) -> str:
    """Return the sentence for one entry of a ValidationError's `errors()`, with its context."""
    kind, context = finding["type"], finding.get("ctx") or {}
    if "wanted" in context:
        return str(context["wanted"])
    if kind in _OF_NUMBERS and _is_out_of_range(finding.get("input")):
        return _NEARER
    if kind in SENTENCES:
        return _as_read(_GAP.sub(lambda gap: _filled(context, gap), SENTENCES[kind]), finding)
    if kind == WRONG_SHAPE:
        return SHAPES.get(context.get("pattern", ""), _OTHER)
    return _OTHER if kind in _PYDANTICS else _of_ours(str(finding["msg"]))


def _of_ours(message: str) -> str:
    """Begin with a capital, but for the name of a member, which is written as it is sent."""
    sentence = message.removeprefix("Value error, ")
    is_name = _MEMBER_FIRST.match(sentence)
    return sentence if is_name else sentence[:1].upper() + sentence[1:]


def _is_out_of_range(value: Any) -> bool:
    """Tell of a number that JSON's reader could only take as a float, because of its size."""
    return isinstance(value, float) and abs(value) >= _END_OF_WHOLE


def _as_read(sentence: str, finding: Mapping[str, Any]) -> str:
    """Speak of JSON only where JSON was sent, and of moments as earlier or later."""
    if _DAY.match(sentence):
        sentence = sentence.replace(" or less", " or earlier").replace(" or more", " or later")
    is_in_json = (finding.get("loc") or ("body",))[0] not in {"query", "path", "header"}
    return sentence if is_in_json else _IN_JSON.sub("", sentence)


def summary_of(errors: Sequence[FieldError]) -> str:
    """Return what a person is told first: the first finding, and how many more there are."""
    if not errors:
        return "Compare the request with the description of this call"
    name = errors[0].pointer.strip("/?").replace("/", ".")
    first = f"{name}: {errors[0].detail}" if name else errors[0].detail
    more = len(errors) - 1
    return f"{first} (and {more} more, see errors)" if more else first


def _filled(context: Mapping[str, Any], gap: re.Match[str]) -> str:
    name, unit = gap.groups()
    value = str(context.get(name, "what is allowed")).replace("'", "")
    return f"{value} {unit if value == '1' else _PLURALS[unit]}" if unit else value

"""Text as people type it: one rule for one line, one for many, and what is neither says why.

Both rules compose the text (NFC), trim it, and refuse what nobody can see or what acts on the text
around it: controls, direction overrides, code points that stand for no character (Unicode 15, 23).
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

CONTROL: Final = "control_character"
NOT_A_CHARACTER: Final = "not_a_character"
NOTHING_VISIBLE: Final = "nothing_visible"
WRONG_SHAPE: Final = "string_pattern_mismatch"

SLUG: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SLUG_WANTED: Final = "Use small letters a to z, digits, and single hyphens between them"

_VISIBLE: Final = frozenset("LNPS")
# Letters and a symbol by their category, and yet blank wherever they are drawn.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Overrides, embeddings and isolates turn the text around them; a byte order mark belongs to a file.
# What Unicode 23.3 and 23.8 keep for programs: deprecated format codes, and annotations.
_ACTING: Final = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    "\u206a\u206b\u206c\u206d\u206e\u206f\ufff9\ufffa\ufffb"
)
# Where a line may be broken: nothing at the ends of a text. Marks of direction may mean something.
_BREAKS: Final = "\u200b\u2060\u00ad"
_ENDS: Final = _BREAKS + "".join(filter(str.isspace, map(chr, range(0x3001))))
_JOINERS: Final = frozenset("\u200c\u200d")
_LINE_ENDS: Final = re.compile("\r\n|[\r\u2028\u2029]")
# The flags of England, Scotland and Wales are written with tags (UTS 51, ED-14a).
_TAGGED_FLAG: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
# What newer versions of Unicode fill: emoji and ideographs. Python may know an older version.
_STILL_FILLED: Final = (range(0x1F000, 0x1FB00), range(0x20000, 0x2FFFE), range(0x30000, 0x3FFFE))


def one_line(text: str) -> str:
    """Return the text composed and trimmed. Raises PydanticCustomError with the codes above."""
    if text.isascii() and text.isprintable():
        return text.strip()
    line = _trim(unicodedata.normalize("NFC", text))
    _check(line, allowed="")
    return line


def many_lines(text: str) -> str:
    """Return the text as `one_line` does; line breaks, all written as one LF, and tabs may stay."""
    if text.isascii() and text.isprintable():
        return text.strip()
    lines = _trim(_LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text)))
    _check(lines, allowed="\n\t")
    return lines


def has_visible(text: str) -> bool:
    """Tell whether anything of the text leaves a mark on the page."""
    return any(
        unicodedata.category(character)[0] in _VISIBLE or _may_be_newer(character)
        for character in text
        if character not in _BLANK
    )


def distinct_names(given: Any, check: Callable[[Any], dict[str, str]]) -> dict[str, str]:
    """Check names with their values; refuse names that only differ by what the rules drop."""
    kept = check(given)
    if len(kept) < len(given):
        raise PydanticCustomError("repeated_name", "Two of the names are the same")
    return kept


def _trim(text: str) -> str:
    """Trim spaces, and breaks nobody can see; a text of breaks alone stays, to be refused."""
    return text.strip(_ENDS) or text.strip()


def _check(text: str, allowed: str) -> None:
    if not text.isprintable():
        before = ""
        for character in _TAGGED_FLAG.sub("\U0001f3f4", text):
            if not character.isprintable() and character not in allowed:
                _check_unprintable(character, before)
            before = character
    if text and not has_visible(text):
        raise PydanticCustomError(NOTHING_VISIBLE, "Nothing of this text can be seen")


def _check_unprintable(character: str, before: str) -> None:
    category = unicodedata.category(character)
    if category == "Zs":
        return
    if category in {"Cc", "Zl", "Zp"} or character in _ACTING or _is_tag(character):
        raise PydanticCustomError(
            CONTROL,
            "The text holds a control character, a line break or a mark that turns its direction,"
            " which this place does not take",
        )
    if category in {"Cn", "Co", "Cs"} and not _may_be_newer(character):
        raise PydanticCustomError(
            NOT_A_CHARACTER, "The text holds a code that stands for no character"
        )
    if character in _JOINERS and not _is_joinable(before):
        raise PydanticCustomError(
            CONTROL, "The text holds an invisible joiner where its writing has no use for one"
        )


def _is_tag(character: str) -> bool:
    return "\U000e0000" <= character <= "\U000e007f"


def _may_be_newer(character: str) -> bool:
    is_unassigned = unicodedata.category(character) == "Cn"
    return is_unassigned and any(ord(character) in block for block in _STILL_FILLED)


def _is_joinable(before: str) -> bool:
    """Joiners follow letters without case (Indic, Arabic), marks and emoji, never Latin letters."""
    if not before:
        return False
    category = unicodedata.category(before)
    return category in {"Lo", "Lm", "So", "Sk"} or category[0] == "M" or _may_be_newer(before)


@dataclass(frozen=True, slots=True)
class _Rule(ABC):
    """A text of at least `min_length` and at most `max_length` characters after trimming."""

    max_length: int
    min_length: int = 1

    @property
    @abstractmethod
    def clean(self) -> Callable[[str], str]:
        """The function that trims a text and refuses what it may not hold."""

    def apply(self, text: str) -> str:
        """Return the text as it is kept. Raises what pydantic reports as a wrong value."""
        kept = self.clean(text)
        if len(kept) < self.min_length:
            raise PydanticKnownError("string_too_short", {"min_length": self.min_length})
        if len(kept) > self.max_length:
            raise PydanticKnownError("string_too_long", {"max_length": self.max_length})
        return kept

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.apply, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        document = handler(schema)
        limits = {"minLength": self.min_length} if self.min_length else {}
        return {**document, **limits, "maxLength": self.max_length}


class OneLine(_Rule):
    """A name, a title, a label: `Annotated[str, OneLine(120)]`."""

    @property
    def clean(self) -> Callable[[str], str]:
        return one_line


class ManyLines(_Rule):
    """A description, a note, a review: `Annotated[str, ManyLines(500)]`."""

    @property
    def clean(self) -> Callable[[str], str]:
        return many_lines


@dataclass(frozen=True, slots=True)
class Shaped:
    """A text of one shape, such as a code. `wanted` is the sentence that tells of the shape.

    The pattern holds for the whole text; `is_trimmed` and `is_upper` say what is done before.
    """

    pattern: str
    wanted: str
    max_length: int | None = None
    is_trimmed: bool = False
    is_upper: bool = False

    def apply(self, text: str) -> str:
        """Return the text as it is kept. Raises what pydantic reports as a wrong value."""
        kept = text.strip() if self.is_trimmed else text
        kept = kept.upper() if self.is_upper else kept
        if not kept:
            raise PydanticKnownError("string_too_short", {"min_length": 1})
        if self.max_length is not None and len(kept) > self.max_length:
            raise PydanticKnownError("string_too_long", {"max_length": self.max_length})
        if re.fullmatch(self.pattern, kept) is None:
            raise PydanticCustomError(WRONG_SHAPE, "{wanted}", {"wanted": self.wanted})
        return kept

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.apply, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        document = handler(schema)
        limits = {} if self.max_length is None else {"maxLength": self.max_length}
        return {**document, **limits, "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Marks a text that is taken exactly as it was sent, and says why."""

    why: str


def leaves(
    annotation: Any, metadata: Sequence[Any] = ()
) -> Iterator[tuple[type[Any], tuple[Any, ...]]]:
    """Yield each plain type that an annotation is made of, with what is annotated to it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *own = get_args(annotation)
        yield from leaves(inner, (*metadata, *own))
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from leaves(member, metadata)
    elif isinstance(annotation, type) and origin is None:
        yield annotation, tuple(metadata)


def is_optional_text(field: FieldInfo) -> bool:
    """Tell whether a field may be left out and holds a text that an empty one is no value of."""
    if field.is_required():
        return False
    found = [marks for kind, marks in leaves(field.annotation, field.metadata) if kind is str]
    return bool(found) and not any(_takes_nothing(mark) for marks in found for mark in marks)


def _takes_nothing(mark: Any) -> bool:
    return isinstance(mark, OneLine | ManyLines) and mark.min_length == 0

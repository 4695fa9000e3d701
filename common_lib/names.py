"""Names of people: they stand in mails, so they carry no way to anywhere else.

Whoever registers or orders chooses the name freely: one with a link in it would make the shop's
mails those of a stranger. Looked for as mail programs do that turn text into links, in the plain
form of what only looks like one (Unicode's compatibility forms, without invisible characters).
"""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from common_lib.text import OneLine

HOLDS_A_LINK: Final = "name_holds_link"
HOLDS_A_NUMBER: Final = "name_holds_number"

_SCHEME: Final = re.compile(
    r"(?:^|\W)[a-z][a-z0-9+-]*:/|\b(?:mailto|tel|sms|javascript|data):", re.IGNORECASE
)
_MAILBOX: Final = re.compile(r"\w(?:@|\s*[\[(]at[\])]\s*)\w", re.IGNORECASE)
_HOST: Final = re.compile(
    r"\bwww\d?\.|\w\.\w+/|\w/\w+\.\w|(?<![\w.])(?:[\w-]+\.)+[\w-]{2,}(?!\w)", re.IGNORECASE
)
_DOTTED: Final = re.compile(r"\[\.\]|\(\.\)|\[dot\]|\(dot\)|\s+dot\s+", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[0-9a-f:]{3,}\]", re.IGNORECASE)
# Never glued to letters, as in the names that programs make up.
_DIGITS: Final = re.compile(r"(?<![^\W_])\+?[\d(][\d\s().-]*\d(?![^\W_])")
_SHORTEST_NUMBER: Final = 8
_INDIAN_MOBILE: Final = re.compile(r"[6-9]\d{9}")
# People leave out the space behind these: Dr.Rao, Md.Salim, K.Ramesh, Ph.D. A word of one letter
# is an initial.
_BEFORE_NAMES: Final = re.compile(
    r"abd|adv|capt|col|dr|er|fr|gen|hon|jr|lt|maj|md|mohd|mr|mrs|ms|mx|ph|prof|rev|sgt|shri|sk|smt"
    r"|sr|sri|st|\w"
)
_TOP_LEVEL: Final = re.compile(
    r"com|net|org|info|biz|app|dev|shop|site|online|xyz|example|me|co|io|ly|gl"
)


def refuse_links(name: str) -> str:
    """Return the name. Raises PydanticCustomError for web and mail addresses and phone numbers."""
    plain = _plain(name)
    if any(found.search(plain) for found in (_SCHEME, _MAILBOX, _ADDRESS)) or _names_a_host(plain):
        raise PydanticCustomError(
            HOLDS_A_LINK, "A name holds no web or e-mail address: write what people call you"
        )
    if any(_is_number(found[0]) for found in _DIGITS.finditer(plain)):
        raise PydanticCustomError(
            HOLDS_A_NUMBER, "A name holds no phone number: write what people call you"
        )
    return name


def _plain(name: str) -> str:
    """Return the name as a program reads it that looks for links."""
    text = unicodedata.normalize("NFKC", name).replace("\u3002", ".")
    seen = "".join(each for each in text if unicodedata.category(each) != "Cf")
    return _DOTTED.sub(".", seen)


def _is_number(text: str) -> bool:
    """Tell whether people call it: with a country's code, in groups, or an Indian mobile."""
    digits = sum(character.isdigit() for character in text)
    is_marked = text.startswith("+") or digits < len(text)
    return bool(_INDIAN_MOBILE.fullmatch(text)) or (is_marked and digits >= _SHORTEST_NUMBER)


def _names_a_host(text: str) -> bool:
    return any(_is_host(found[0]) for found in _HOST.finditer(text))


def _is_host(text: str) -> bool:
    if "/" in text or text.lower().startswith("www"):
        return True
    *before, last = text.lower().split(".")
    if _TOP_LEVEL.fullmatch(last):
        return True
    is_number = not any(character.isalpha() for character in last)
    return not is_number and not all(map(_BEFORE_NAMES.fullmatch, before))


PersonName = Annotated[str, OneLine(120), AfterValidator(refuse_links)]

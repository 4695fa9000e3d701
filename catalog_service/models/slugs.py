"""Names as parts of URLs."""

import re
import unicodedata
from typing import Final

from anyascii import anyascii

# Within a word they are spelled, not said: "men's" is one word.
_APOSTROPHES: Final = re.compile("['\u2018\u2019\u02bc`\u00b4]")


def slugified(name: str, *, max_length: int) -> str:
    """Return the name in small Latin letters with `-` between its words.

    Letters of other scripts are written as they sound (anyascii's tables); signs and pictures are
    left out. Empty where nothing is a letter or a digit.
    """
    plain = "".join(map(_spelled, unicodedata.normalize("NFC", name)))
    words = _APOSTROPHES.sub("", plain.lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:max_length].rstrip("-")


def _spelled(character: str) -> str:
    """Return how a letter or digit is spelled; anything else ends a word or is nothing."""
    kind = unicodedata.category(character)
    if kind[0] in "LMN" or character.isascii() or _APOSTROPHES.match(character):
        return anyascii(character)
    return "" if kind in {"Cf", "Cn", "Co", "Cs"} else " "

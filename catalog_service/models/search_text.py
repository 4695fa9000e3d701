"""Words: how texts and queries are cut, folded and written into the full-text index.

Every server's own rules about words (shortest length, stop words, what splits a word) are stepped
around: a word becomes a token of ASCII letters, digits and underscores with a prefix of two
characters that names its field, so that "TV", "4K", "the" and "C++" are words like any other.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

NAME_FIELD: Final = "n0"
TEXT_FIELD: Final = "d0"
CATEGORY_FIELD: Final = "c0"
# A token with its prefix stays below innodb_ft_max_token_size, which is 84 characters.
LONGEST_WORD: Final = 80
MOST_QUERY_WORDS: Final = 10
# Beginnings shorter than this count as whole words: half the dictionary begins with an "s".
SHORTEST_PREFIX: Final = 3
_MOST_TEXT_WORDS: Final = 400
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ESCAPED_DIGITS: Final = 4

# Marks that no word is spelled with; what they stand on is the same word without them.
_ACCENTS: Final = re.compile("[\u0300-\u036f\ufe0e\ufe0f\u200c\u200d\u00ad'\u2019\u02bc]")
_SIGNS: Final = re.compile("[\u2122\u00ae\u00a9]")
_PICTURES: Final = re.compile("([\u2190-\u2bff\U0001f000-\U0001faff])")
# A word may end in + or # (C++, F#) and hold the signs of AT&T, a@b and 1=1 inside.
_CHUNK: Final = re.compile(
    r"[\w\u0900-\u0dff](?:[\w\u0900-\u0dff]|[-./](?=\w)|[=@&+#%](?=\w))*[+#]*"
    "|[\u2190-\u2bff\U0001f000-\U0001faff]"
)
_JOINTS: Final = re.compile(r"[-./]")
_SIGNS_INSIDE: Final = re.compile(r"[=@&+#%]")


@dataclass(frozen=True, slots=True)
class Term:
    """One word that a query asks for: `whole`, or all of `parts` where it has joints (USB-C)."""

    whole: str
    parts: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return self.parts or (self.whole,)


def text_words(text: str) -> list[str]:
    """Return the words of a text as they are indexed, each once, in their order.

    A word with joints or signs inside stands as a whole and in its parts.
    """
    found: dict[str, None] = {}
    for chunk in _chunks(text):
        for word in _spellings(chunk):
            found[encode(word)] = None
    return list(found)[:_MOST_TEXT_WORDS]


def query_terms(query: str) -> tuple[Term, ...]:
    """Return what a query asks for; operators and quotes ask for nothing."""
    terms: dict[Term, None] = {}
    for chunk in _chunks(query):
        parts = [part for part in _JOINTS.split(chunk) if part]
        if parts:
            whole = encode("".join(parts))
            joined = tuple(dict.fromkeys(map(encode, parts))) if len(parts) > 1 else ()
            terms[Term(whole, joined)] = None
    return tuple(terms)[:MOST_QUERY_WORDS]


def encode(word: str) -> str:
    """Write a folded word with [0-9a-z_] alone: any other character as _ and four digits.

    Beginnings stay beginnings: encode("समो") starts encode("समोसा").
    """
    encoded = ""
    for character in word:
        piece = character if character.isascii() and character.isalnum() else _escaped(character)
        if len(encoded) + len(piece) > LONGEST_WORD:
            break
        encoded += piece
    return encoded


def decode(token: str) -> str:
    """Return the folded word that `encode` wrote."""
    return re.sub(r"_([0-9a-z]{4})", lambda found: chr(int(found[1], 36)), token)


def fold(text: str) -> str:
    """Return the text in small letters, without accents, apostrophes and trade marks."""
    plain = unicodedata.normalize("NFKD", _SIGNS.sub(" ", text)).casefold().replace("_", " ")
    return _ACCENTS.sub("", plain)


def _chunks(text: str) -> Iterator[str]:
    return (found[0] for found in _CHUNK.finditer(_PICTURES.sub(r" \1 ", fold(text))))


def _spellings(chunk: str) -> Iterable[str]:
    parts = [part for part in _JOINTS.split(chunk) if part]
    yield "".join(parts)
    if len(parts) > 1:
        yield from parts
    for part in parts:
        pieces = [piece for piece in _SIGNS_INSIDE.split(part) if piece]
        if pieces != [part]:
            yield from pieces


def _escaped(character: str) -> str:
    number, digits = ord(character), ""
    for _ in range(_ESCAPED_DIGITS):
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"_{digits}"

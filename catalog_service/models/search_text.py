"""Words: how texts and queries are cut, folded and written into the full-text index.

Every server's own rules about words (shortest length, stop words, what splits a word) are stepped
around: a word becomes a token of ASCII letters, digits and underscores with a prefix of two
characters that names its field, so that "TV", "4K", "the" and "C++" are words like any other.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import snowballstemmer  # type: ignore[import-untyped]

NAME_FIELD: Final = "n0"
TEXT_FIELD: Final = "d0"
CATEGORY_FIELD: Final = "c0"
ATTRIBUTE_FIELD: Final = "a0"
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
# Lucene's list of English stop words: they say nothing beside others, and something alone.
STOP_WORDS: Final = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it"}
    | {"no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these"}
    | {"they", "this", "to", "was", "will", "with"}
)
# Plurals that Snowball's English does not know, among the words of a shop.
_IRREGULAR: Final = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mous",
    "geese": "goos",
    "people": "person",
    "knive": "knife",
    "shelv": "shelf",
    "scarv": "scarf",
    "leav": "leaf",
    "loav": "loaf",
    "halv": "half",
    "wolv": "wolf",
}
_STEMMED: Final = re.compile("[a-z]{3,}")
_ENGLISH: Final = snowballstemmer.stemmer("english")
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

    A word with joints or signs inside stands as a whole and in its parts; a single letter also
    stands together with the word behind it (T shirt).
    """
    found: dict[str, None] = {}
    chunks = list(_chunks(text))
    pairs = enumerate(pairwise(chunks))
    joined = {n: first + second for n, (first, second) in pairs if _is_initial(first, second)}
    for n, chunk in enumerate(chunks):
        for word in _spellings(chunk):
            found[encode(word)] = None
        if n in joined:
            found[encode(joined[n])] = None
    return list(found)[:_MOST_TEXT_WORDS]


def query_terms(query: str, *, is_begun: bool = False) -> tuple[Term, ...]:
    """Return what a query asks for; operators and quotes ask for nothing.

    Stop words ask for something only where there is nothing else. Where the query `is_begun` its
    last word may be the beginning of any, and stays.
    """
    chunks = list(_chunks(query))
    last = chunks.pop() if is_begun and chunks else None
    telling = [chunk for chunk in chunks if chunk not in STOP_WORDS]
    telling = telling or ([] if last else chunks)
    terms = dict.fromkeys(_terms(telling if last is None else [*telling, last]))
    return tuple(terms)[:MOST_QUERY_WORDS]


@lru_cache(maxsize=100_000)
def stem_of(word: str) -> str:
    """Return what the forms of an English word have in common; other words are their own stems."""
    if _STEMMED.fullmatch(word) is None:
        return word
    stem = str(_ENGLISH.stemWord(word))
    return _IRREGULAR.get(word) or _IRREGULAR.get(stem) or stem


def _terms(chunks: Sequence[str]) -> Iterator[Term]:
    waiting = list(reversed(chunks))
    while waiting:
        parts = [part for part in _JOINTS.split(waiting.pop()) if part]
        if waiting and len(parts) == 1 and _is_initial(parts[0], waiting[-1]):
            parts.append(waiting.pop())
        if parts:
            joined = tuple(dict.fromkeys(map(encode, parts))) if len(parts) > 1 else ()
            yield Term(encode("".join(parts)), joined)


def _is_initial(chunk: str, following: str) -> bool:
    """Tell whether a single letter belongs to the word behind it, as in T shirt and i phone."""
    is_letter = len(chunk) == 1 and chunk.isalpha() and chunk not in STOP_WORDS
    return is_letter and len(following) > 1 and following.isalpha()


@lru_cache(maxsize=100_000)
def attribute_token(name: str, value: str) -> str:
    """Return the token of an attribute with its value, whatever characters they hold."""
    text = f"{folded_label(name)}={folded_label(value)}"
    return ATTRIBUTE_FIELD + hashlib.sha256(text.encode()).hexdigest()[:20]


@lru_cache(maxsize=100_000)
def folded_label(text: str) -> str:
    """Return a name or value of an attribute as filters and facets compare it."""
    return fold(text).strip()


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

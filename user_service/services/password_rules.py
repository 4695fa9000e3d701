"""Which passwords are taken, wherever one is chosen."""

import gzip
import itertools
import re
import string
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common_lib.errors import FieldError, Rejected

# 20,000 of the most used, collected from leaks by Royce Williams and kept by Django (BSD licence,
# django/contrib/auth/common-passwords.txt.gz), with some more of the kind.
COMMON_PASSWORDS: Final = frozenset(
    gzip.decompress(Path(__file__).with_name("common_passwords.txt.gz").read_bytes())
    .decode()
    .split()
)
# The shop's own names are on no list, and among the first that somebody tries here.
OWN_NAMES: Final = frozenset({"shop", "theshop", "myshop", "shopshop", "ecommerce"})

_SPACES: Final = re.compile(r"\s+")
_NO_WORD: Final = re.compile(r"[\W_]+")
_AROUND: Final = (string.punctuation, string.digits + string.punctuation)
_MOST_AROUND: Final = 6
_SHORTEST_WORD: Final = 4
# password1, qwerty123 and the like are on the list with one ending of many.
_STEMS: Final = frozenset(common.strip(_AROUND[-1]) for common in COMMON_PASSWORDS)
_KNOWN: Final = COMMON_PASSWORDS | OWN_NAMES | {s for s in _STEMS if len(s) >= _SHORTEST_WORD}
_SIGNS_AS_LETTERS: Final = str.maketrans("@4301!$57", "aaeoiisst")
# "abcabcabc", "12121212", "passpasspass"
_REPEATED: Final = re.compile(r"(.{1,5}?)\1+")


class CommonPassword(Rejected):
    code = "common_password"
    title = "This password is among those that are tried first"


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """The development profile takes every password, production none that is tried first."""

    refuses_common: bool

    def check(self, password: str, *personal: str, pointer: str = "/password") -> None:
        """Raise CommonPassword; `personal` is what anybody who knows the account would try."""
        if self.refuses_common and is_common(password, *personal):
            field = FieldError(pointer, "common_password", "choose a less common password")
            raise CommonPassword(errors=[field])


def is_common(password: str, *personal: str) -> bool:
    """Tell whether guessing begins with passwords like this one.

    Case, spaces and hyphens, a few digits or signs around it, and letters written as signs
    (p@ssw0rd) hide no common password, nor the shop's or the account's own names; the same goes
    for what is repeated or counted up.
    """
    known = _KNOWN | {word for text in personal for word in _words(text)}
    plain = _SPACES.sub("", unicodedata.normalize("NFKC", password).casefold())
    spelled = {plain, plain.translate(_SIGNS_AS_LETTERS)}
    forms = spelled | {_NO_WORD.sub("", form) for form in spelled}
    return any(_is_pattern(form) or not known.isdisjoint(_cores(form)) for form in forms)


def _cores(form: str) -> set[str]:
    """Return the form, and what is left of it without a few digits and signs around it."""
    cores = {form, *(cut for around in _AROUND for cut in _cuts(form, around))}
    return {core for core in cores if len(form) - len(core) <= _MOST_AROUND}


def _cuts(form: str, around: str) -> tuple[str, str, str]:
    return form.strip(around), form.rstrip(around), form.lstrip(around)


def _words(text: str) -> set[str]:
    """Return an e-mail address or a name as it may be used for a password: whole and in parts."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    parts = [part for part in _NO_WORD.split(plain) if len(part) >= _SHORTEST_WORD]
    forms = {_SPACES.sub("", plain), plain.partition("@")[0], "".join(_NO_WORD.split(plain))}
    return {form for form in forms if len(form) >= _SHORTEST_WORD}.union(parts)


def _is_pattern(form: str) -> bool:
    steps = {ord(right) - ord(left) for left, right in itertools.pairwise(form)}
    return steps in ({0}, {1}, {-1}) or _REPEATED.fullmatch(form) is not None

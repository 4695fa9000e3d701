"""One typo: a letter too many, one too few, a wrong one, or two that changed places.

The four are those of Damerau (1964, "A technique for computer detection and correction of
spelling errors"), who found them to be four fifths of all.
"""

from collections.abc import Iterator
from typing import Final

# In a shorter word every other word is one typo away.
SHORTEST: Final = 3
LONGEST: Final = 24


def can_be_mistyped(word: str) -> bool:
    """Whether a word is plain enough to guess: escaped letters are five characters each."""
    return SHORTEST <= len(word) <= LONGEST and "_" not in word


def patterns(word: str, *, is_first_letter_right: bool) -> list[str]:
    """Return LIKE patterns for the words whose beginning is one typo away from `word`."""
    start = 1 if is_first_letter_right else 0
    found = dict.fromkeys(_patterns(word, start))
    found.pop(f"{word}%", None)
    return list(found)


def is_near(typed: str, word: str) -> bool:
    """Tell whether some beginning of `word` is at most one typo away from `typed`."""
    if word.startswith(typed):
        return True
    at = next((n for n, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), len(word))
    rest, other = typed[at:], word[at:]
    return (
        other.startswith(rest[1:])  # one too many
        or other[1:].startswith(rest[1:])  # a wrong one
        or other[1:].startswith(rest)  # one too few
        or (len(rest) > 1 and other.startswith(rest[1] + rest[0] + rest[2:]))
    )


def _patterns(word: str, start: int) -> Iterator[str]:
    for at in range(start, len(word)):
        before, letter, after = word[:at], word[at], word[at + 1 :]
        yield f"{before}_{after}%"
        yield f"{before}_{letter}{after}%"
        yield f"{before}{after}%"
        if after:
            yield f"{before}{after[0]}{letter}{after[1:]}%"
    yield f"{word}%"

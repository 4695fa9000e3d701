"""Categories as a file names them: by slug, or by their names from the root down.

`>` parts the names of a path, and a backslash keeps it within a name. A slug and the name of a
root can be the same word: `slug:shirts` is always the slug, `> Shirts` always the path.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from catalog_service.models.categories import Category, Hierarchy

SEPARATOR: Final = ">"
SLUG: Final = "slug:"
_TOKENS: Final = re.compile(r"\\[>\\]|[>\\]|[^>\\]+")
# The longest of eight names that a cell can hold; beyond it nothing is looked for.
_LONGEST: Final = 4096

Path = tuple[str, ...]


class NoCategory(Exception):
    """No category, or more than one, is called so; `detail` says what to write."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class CategoryNames:
    """The tree by slug, by path, and by the names of a path written without a backslash."""

    by_slug: Mapping[str, UUID] = field(default_factory=dict)
    by_path: Mapping[Path, frozenset[UUID]] = field(default_factory=dict)
    by_letters: Mapping[Path, frozenset[UUID]] = field(default_factory=dict)

    @classmethod
    def of(cls, categories: Sequence[Category]) -> "CategoryNames":
        hierarchy = Hierarchy(categories)
        paths: list[tuple[Path, UUID]] = []
        for category in categories:
            above = reversed(hierarchy.path(category.id))
            names = tuple(_folded(hierarchy.by_id[each].name) for each in above)
            paths.append((names, category.id))
        return cls(
            by_slug={category.slug: category.id for category in categories},
            by_path=_gathered(paths),
            by_letters=_gathered((_letters(names), each) for names, each in paths),
        )

    def find(self, text: str) -> UUID:
        """Return the category a cell names. Raises NoCategory, also where it could be two."""
        text = text.strip()
        if text.startswith(SLUG):
            slug = text.removeprefix(SLUG).strip().casefold()
            return _only([self.by_slug[slug]] if slug in self.by_slug else ())
        if text.startswith(SEPARATOR):
            return _only(self.by_path.get(_path(text.removeprefix(SEPARATOR)), ()))
        path = _path(text)
        found = set(self.by_path.get(path, ()))
        if len(path) == 1 and text.casefold() in self.by_slug:
            found.add(self.by_slug[text.casefold()])
        elif found and "\\" not in text:
            found |= self.by_letters.get(path, frozenset())
        return _only(found)

    def slug_text(self, slug: str) -> str:
        """Return what names the category of this slug and no other."""
        own = self.by_slug.get(slug)
        others = self.by_path.get((_folded(slug),), frozenset()) - {own}
        return f"{SLUG}{slug}" if others else slug


def _gathered(pairs: Iterable[tuple[Path, UUID]]) -> dict[Path, frozenset[UUID]]:
    found: dict[Path, frozenset[UUID]] = {}
    for names, category_id in pairs:
        found[names] = found.get(names, frozenset()) | {category_id}
    return found


def _only(found: Iterable[UUID]) -> UUID:
    ids = list(found)
    if not ids:
        raise NoCategory(
            "unknown_category",
            "there is no such category; a > or \\ that belongs to a name has a \\ before it",
        )
    if len(ids) > 1:
        raise NoCategory(
            "ambiguous_category",
            "several categories are called so: write slug: and the slug, or > and the path, with"
            " a \\ before each > that belongs to a name",
        )
    return ids[0]


def _path(text: str) -> Path:
    """Return the folded names of a path; () where one of them is empty."""
    parts = [""]
    for token in _TOKENS.findall(text[: _LONGEST + 1]):
        if token == SEPARATOR:
            parts.append("")
        else:
            parts[-1] += token[-1] if token[0] == "\\" else token
    names = tuple(map(_folded, parts))
    return names if all(names) and len(text) <= _LONGEST else ()


def _letters(names: Path) -> Path:
    """Return how a path falls into names if no `>` in them is kept by a backslash."""
    return tuple(part.strip() for part in SEPARATOR.join(names).split(SEPARATOR))


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

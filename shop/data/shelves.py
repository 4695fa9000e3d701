"""What the shelves of the large assortment are made of: word lists and sentences per category.

A shelf's `words` are what its names are put together from; every name uses every word, so two
choices of words never give the same name. A list that is named instead of written out stands in
the file's `[lists]`.
"""

import math
import string
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from shop.data.reader import SeedDataInvalid, load
from shop.data.records import Line, Record, Slug

FILES: Final = Path(__file__).parent / "catalogue" / "shelves"
Words = Annotated[tuple[Line, ...], Field(min_length=2)]
Sentence = Annotated[str, StringConstraints(pattern=r"^[^\n]+[.]$")]
Sentences = Annotated[tuple[Sentence, ...], Field(min_length=3)]
Percent = Annotated[int, Field(strict=True, ge=0, le=200)]


class Choice(Record):
    """What the variants of a product differ in; each value costs `step` percent more."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
    values: Words
    step: Percent = 0


class Shelf(Record):
    """The products of one leaf of the tree; `price` is the median in rupees.

    `weight` is its share of the assortment, `spread` the sigma of the log-normal prices.
    """

    category: Slug
    sellers: Annotated[tuple[Slug, ...], Field(min_length=1)]
    weight: Annotated[int, Field(strict=True, ge=1, le=9)]
    price: Annotated[int, Field(strict=True, ge=20, le=200_000)]
    spread: Annotated[float, Field(gt=0, le=1)]
    names: Annotated[tuple[Line, ...], Field(min_length=1)]
    words: Mapping[str, Words]
    options: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=3)]
    openings: Sentences
    details: Sentences
    closings: Sentences

    @model_validator(mode="after")
    def _sentences_know_their_words(self) -> Self:
        known = set(self.words)
        for name in self.names:
            if _placeholders(name) != known:
                raise ValueError(f"{self.category}: “{name}” must use each of its words once")
        for sentence in (*self.openings, *self.details, *self.closings):
            if not _placeholders(sentence) <= known:
                raise ValueError(f"{self.category}: “{sentence}” names an unknown word")
        return self

    @property
    def capacity(self) -> int:
        """How many products there can be, all of different names."""
        return len(self.names) * math.prod(len(words) for words in self.words.values())


@cache
def load_shelves(folder: Path = FILES) -> tuple[Shelf, ...]:
    """Read all shelf files. Raises SeedDataInvalid."""
    shelves = tuple(shelf for file in sorted(folder.glob("*.toml")) for shelf in _shelves(file))
    _check_references(shelves)
    return shelves


def _shelves(file: Path) -> list[Shelf]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        lists = content["lists"]
        return [
            Shelf.model_validate(_written_out(shelf, lists) | {"closings": content["closings"]})
            for shelf in content["shelves"]
        ]
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise SeedDataInvalid(f"{file.name}: {error}") from error


def _written_out(shelf: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Put the file's lists where their names stand."""
    words = {name: _list(words, lists) for name, words in shelf["words"].items()}
    options = [o | {"values": _list(o["values"], lists)} for o in shelf["options"]]
    return {**shelf, "words": words, "options": options}


def _list(words: str | Sequence[str], lists: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return lists[words] if isinstance(words, str) else words


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _check_references(shelves: Sequence[Shelf]) -> None:
    seeds = load()
    stores = {seller.key for seller in seeds.sellers}
    for shelf in shelves:
        if shelf.category not in seeds.leaves():
            raise SeedDataInvalid(f"there is no leaf {shelf.category} for its shelf")
        if not stores.issuperset(shelf.sellers):
            raise SeedDataInvalid(f"the shelf {shelf.category} names a store that is not there")

"""Makes up the products of a large shop: believable, and the same for a number on every machine.

Product `n` depends on `n` and the assortment's number alone, so a longer assortment begins with
the shorter one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from random import Random
from typing import Final

from shop.data.records import Product, ProductStatus, Variant
from shop.data.shelves import Choice, Shelf
from shop.data.stable_ids import SEED_DAY

_DAYS_OPEN: Final = 400
_VARIANT_WEIGHTS: Final = (30, 35, 22, 13)  # in percent: one to four variants
_STATUSES: Final = (ProductStatus.ACTIVE, ProductStatus.DRAFT, ProductStatus.ARCHIVED)
_STATUS_WEIGHTS: Final = (96, 2, 2)
_SHOWN_WORDS: Final = ("brand", "material", "author")
_GOLDEN: Final = 0.618
_AN: Final = re.compile(r"\b([Aa]) (?=[AEIO]|Un|Ul)")
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
# Up to each amount in rupees a price ends just below a multiple of the second number.
_ENDINGS: Final = ((100, 5, 0), (500, 10, 1), (3_000, 50, 1), (20_000, 100, 1), (math.inf, 500, 10))


@dataclass(frozen=True)
class Assortment:
    """An endless-looking catalogue; `number` chooses which."""

    shelves: Sequence[Shelf]
    number: int = 1

    @cached_property
    def capacity(self) -> int:
        """How many products there are before a name would come twice."""
        return min(shelf.capacity // shelf.weight for shelf in self.shelves) * len(self._round)

    def product(self, n: int) -> Product:
        """Make product `n`, counted from 0. Raises ValueError past the capacity."""
        if not 0 <= n < self.capacity:
            raise ValueError(f"there is no product {n}")
        rounds, slot = divmod(n, len(self._round))
        shelf, rank = self._round[slot]
        random = Random(f"{self.number}:{n}")
        template, words = _words(shelf, rounds * shelf.weight + rank)
        return _product(shelf, template.format_map(words), words, _code(n), random)

    @cached_property
    def _round(self) -> Sequence[tuple[Shelf, int]]:
        """The order in which shelves take turns: each as often as its weight, well mixed."""
        turns = [(shelf, rank) for shelf in self.shelves for rank in range(shelf.weight)]
        Random(self.number).shuffle(turns)
        return turns


def _words(shelf: Shelf, index: int) -> tuple[str, Mapping[str, str]]:
    """Choose a name and its words; different indexes below the capacity choose differently."""
    left = (index * _stride(shelf.capacity) + shelf.price) % shelf.capacity
    left, place = divmod(left, len(shelf.names))
    words = {}
    for name, choices in shelf.words.items():
        left, at = divmod(left, len(choices))
        words[name] = choices[at]
    return shelf.names[place], words


def _stride(capacity: int) -> int:
    """Return a step that visits every index below `capacity` once, far from its last."""
    stride = int(capacity * _GOLDEN)
    while math.gcd(stride, capacity) != 1:
        stride += 1
    return stride


def _product(
    shelf: Shelf, name: str, words: Mapping[str, str], code: str, random: Random
) -> Product:
    status = random.choices(_STATUSES, _STATUS_WEIGHTS)[0]
    sku = f"{_initials(name)}-{code}"
    fields = {
        "key": f"{_slug(name)}-{code.lower()}",
        "category": shelf.category,
        "seller": random.choice(shelf.sellers),
        "listed": SEED_DAY + timedelta(days=random.randrange(_DAYS_OPEN)),
        "name": name,
        "description": _description(shelf, words, random),
        "status": status,
        "variants": _variants(shelf, words, sku, random),
    }
    return Product.model_validate(fields, by_name=True)


def _description(shelf: Shelf, words: Mapping[str, str], random: Random) -> str:
    sentences = (
        random.choice(shelf.openings),
        *random.sample(shelf.details, 2),
        random.choice(shelf.closings),
    )
    text = " ".join(_capital(sentence.format_map(words)) for sentence in sentences)
    return _AN.sub(r"\1n ", text)


def _variants(
    shelf: Shelf, words: Mapping[str, str], sku: str, random: Random
) -> tuple[Variant, ...]:
    rupees = random.lognormvariate(math.log(shelf.price), shelf.spread)
    reduced = random.uniform(1.1, 1.6) if random.random() < 0.4 else 1.0  # noqa: PLR2004
    combinations = math.prod(len(option.values) for option in shelf.options)
    count = min(random.choices((1, 2, 3, 4), _VARIANT_WEIGHTS)[0], combinations)
    shown = {name: words[name] for name in _SHOWN_WORDS if name in words}
    return tuple(
        _variant(
            _options(shelf.options, index),
            f"{sku}-{position}",
            shown,
            (rupees, reduced),
            random,
        )
        for position, index in enumerate(sorted(random.sample(range(combinations), count)), start=1)
    )


def _options(options: Sequence[Choice], index: int) -> Mapping[Choice, int]:
    places = {}
    for option in options:
        index, places[option] = divmod(index, len(option.values))
    return places


def _variant(
    options: Mapping[Choice, int],
    sku: str,
    shown: Mapping[str, str],
    price: tuple[float, float],
    random: Random,
) -> Variant:
    rupees, reduced = price
    dearer = math.prod((1 + option.step / 100) ** at for option, at in options.items())
    now, before = paise(rupees * dearer), paise(rupees * dearer * reduced)
    chosen = {option.name: option.values[at] for option, at in options.items()}
    quantity, reorder_level = _stock(random)
    fields = {
        "sku": sku,
        "name": ", ".join(chosen.values()),
        "attributes": {**shown, **chosen},
        "price": now,
        "compare_at_price": before if before > now else None,
        "quantity": quantity,
        "reorder_level": reorder_level,
    }
    return Variant.model_validate(fields, by_name=True)


def _stock(random: Random) -> tuple[int, int]:
    """Return quantity and reorder level: one in 25 is sold out, one in 15 runs low."""
    reorder_level = random.choice((3, 5, 8, 10, 15, 20))
    draw = random.random()
    if draw < 0.04:  # noqa: PLR2004
        return 0, reorder_level
    if draw < 0.11:  # noqa: PLR2004
        return random.randint(1, reorder_level), reorder_level
    return reorder_level + 1 + int(random.lognormvariate(math.log(60), 0.8)), reorder_level


def paise(rupees: float) -> int:
    """Return a price as a shop would write it: 45, 349, 1,999 or 54,990 rupees."""
    _, step, below = next(ending for ending in _ENDINGS if rupees <= ending[0])
    return (max(step, round(rupees / step) * step) - below) * 100


def _code(n: int) -> str:
    digits = ""
    while n or len(digits) < 4:  # noqa: PLR2004 - as short as a warehouse would have it
        n, at = divmod(n, len(_ALPHABET))
        digits = _ALPHABET[at] + digits
    return digits


def _initials(name: str) -> str:
    return re.sub(r"[^A-Z]", "", name.upper())[:3]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", "")).strip("-")


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]

"""Reads the seed files and refuses any that contradict themselves or each other."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from shop.data.records import Account, Category, Coupon, Product, Record, Seller, Variant

FILES: Final = Path(__file__).parent / "catalogue"
R = TypeVar("R", bound=Record)


class SeedDataInvalid(ValueError):
    """A seed file is wrong; the text names the file or the entry, and what is wrong with it."""


@dataclass(frozen=True)
class Seeds:
    """Everything the shop starts with; categories stand after their parents."""

    accounts: tuple[Account, ...]
    sellers: tuple[Seller, ...]
    categories: tuple[Category, ...]
    products: tuple[Product, ...]
    coupons: tuple[Coupon, ...]

    @property
    def variants(self) -> tuple[Variant, ...]:
        return tuple(variant for product in self.products for variant in product.variants)

    def leaves(self) -> frozenset[str]:
        """Return the keys of the categories without children."""
        parents = {category.parent for category in self.categories}
        return frozenset(c.key for c in self.categories if c.key not in parents)

    def check(self) -> None:
        """Raise SeedDataInvalid if an entry is doubled or names one that is not there."""
        _refuse_doubles(self)
        _check_tree(self.categories)
        _check_references(self)


@cache
def load(folder: Path = FILES) -> Seeds:
    """Read all seed files. Raises SeedDataInvalid."""
    products = sorted((folder / "products").glob("*.toml"))
    seeds = Seeds(
        accounts=tuple(_records(folder / "accounts.toml", "accounts", Account)),
        sellers=tuple(_records(folder / "sellers.toml", "sellers", Seller)),
        categories=tuple(_records(folder / "categories.toml", "categories", Category)),
        products=tuple(p for file in products for p in _records(file, "products", Product)),
        coupons=tuple(_records(folder / "coupons.toml", "coupons", Coupon)),
    )
    seeds.check()
    return seeds


def _records(file: Path, name: str, kind: type[R]) -> list[R]:
    try:
        entries: list[dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8"))[name]
        return [kind.model_validate(entry) for entry in entries]
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise SeedDataInvalid(f"{file.name}: {error}") from error


def _refuse_doubles(seeds: Seeds) -> None:
    _refuse_double("account", (a.key for a in seeds.accounts))
    _refuse_double("e-mail", (a.email for a in seeds.accounts))
    _refuse_double("seller", (s.key for s in seeds.sellers))
    _refuse_double("owner", (s.owner for s in seeds.sellers))
    _refuse_double("category", (c.key for c in seeds.categories))
    _refuse_double("sibling", (f"{c.parent}/{c.name}" for c in seeds.categories))
    _refuse_double("product", (p.key for p in seeds.products))
    _refuse_double("SKU", (v.sku for v in seeds.variants))
    _refuse_double("coupon", (c.code for c in seeds.coupons))


def _refuse_double(what: str, keys: Iterable[str]) -> None:
    for key, count in Counter(keys).items():
        if count > 1:
            raise SeedDataInvalid(f"the {what} {key} is there {count} times")


def _check_tree(categories: tuple[Category, ...]) -> None:
    """Each parent stands before its children, which also rules out a cycle."""
    seen: set[str] = set()
    for category in categories:
        if category.parent is not None:
            _require("category", category.key, category.parent, seen)
        seen.add(category.key)


def _check_references(seeds: Seeds) -> None:
    accounts = {account.key for account in seeds.accounts}
    stores = {seller.key for seller in seeds.sellers}
    leaves = seeds.leaves()
    for seller in seeds.sellers:
        _require("seller", seller.key, seller.owner, accounts)
    for product in seeds.products:
        _require("product", product.key, product.seller, stores)
        _require("product", product.key, product.category, leaves)


def _require(what: str, key: str, reference: str, known: Iterable[str]) -> None:
    if reference not in known:
        raise SeedDataInvalid(f"the {what} {key} refers to {reference}, which does not fit there")

"""The made-up products: believable, all different, and the same on every machine."""

import re
import statistics
from pathlib import Path

import pytest

from common_lib.settings import Profile
from shop.data.assortment import Assortment, paise
from shop.data.reader import SeedDataInvalid, load
from shop.data.records import ProductStatus
from shop.data.shelves import FILES, load_shelves
from shop.seed import Databases, seed
from shop.stack.errors import StackError
from tests.unit.shop.spoiling import spoiled

ASSORTMENT = Assortment(load_shelves())
NOWHERE = Databases(user="unused", catalog="unused", order="unused")
SAMPLE = [ASSORTMENT.product(n) for n in range(6_000)]
KNOWN = ("gully-sports-slog-reserve-thigh-guard-0ap3", "019fab2b-c400-72d8-a830-7512b7b5e89b")
VARIANTS = [variant for product in SAMPLE for variant in product.variants]


def test_there_is_a_shelf_for_every_leaf_of_the_tree() -> None:
    assert {shelf.category for shelf in ASSORTMENT.shelves} == load().leaves()


def test_there_are_names_for_a_quarter_of_a_million_products() -> None:
    assert ASSORTMENT.capacity >= 250_000


def test_a_number_gives_the_same_product_always_and_another_assortment_another() -> None:
    again = Assortment(load_shelves())

    assert [again.product(n) for n in range(200)] == SAMPLE[:200]
    assert Assortment(load_shelves(), number=2).product(0) != SAMPLE[0]


def test_a_known_product_keeps_its_id() -> None:
    """A shop that was seeded before must find its rows again."""
    product = ASSORTMENT.product(12_345)

    assert (product.key, str(product.id)) == KNOWN


def test_no_two_products_share_a_name_a_slug_or_a_sku_nor_those_of_the_hand_written() -> None:
    products = [*load().products, *SAMPLE]

    for values in (
        [product.name for product in products],
        [product.key for product in products],
        [variant.sku for product in products for variant in product.variants],
        [product.id for product in products],
    ):
        assert len(set(values)) == len(values)


def test_names_are_all_different_to_the_last_product() -> None:
    shelf = min(ASSORTMENT.shelves, key=lambda shelf: shelf.capacity)
    numbers = range(ASSORTMENT.capacity - 2_000, ASSORTMENT.capacity)
    tail = [ASSORTMENT.product(n) for n in numbers]

    assert len({product.name for product in tail}) == len(tail)
    assert any(product.category == shelf.category for product in tail)


def test_past_the_last_product_there_is_none() -> None:
    with pytest.raises(ValueError, match="there is no product"):
        ASSORTMENT.product(ASSORTMENT.capacity)


def test_texts_are_whole_sentences_without_gaps() -> None:
    for product in SAMPLE:
        assert re.fullmatch(r"[A-Z0-9].*[.]", product.description), product.description
        assert not re.search(r"[{}]|  |\b[Aa] [AEIO]", product.name + product.description)
        assert 4 <= len(re.findall(r"[.](?=\s|$)", product.description)) <= 6


def test_prices_are_spread_wide_and_end_as_a_shop_ends_them() -> None:
    rupees = [variant.price // 100 for variant in VARIANTS]

    assert all(variant.price % 100 == 0 for variant in VARIANTS)
    assert all(price % 10 in {0, 5, 9} for price in rupees)
    assert statistics.mean(rupees) > 2 * statistics.median(rupees)


@pytest.mark.parametrize(
    ("rupees", "wanted"),
    [(3, 5), (47.2, 45), (351, 349), (2011, 1999), (12_345, 12_299), (54_800, 54_990)],
)
def test_a_price_is_rounded_to_a_believable_one(rupees: float, wanted: int) -> None:
    assert paise(rupees) == wanted * 100


def test_a_reduced_price_is_below_the_one_before() -> None:
    reduced = [v for v in VARIANTS if v.compare_at_price is not None]

    assert 0.25 < len(reduced) / len(VARIANTS) < 0.5
    assert all(v.compare_at_price and v.compare_at_price > v.price for v in reduced)


def test_products_have_one_to_four_variants_that_differ() -> None:
    counts = {len(product.variants) for product in SAMPLE}

    assert counts == {1, 2, 3, 4}
    for product in SAMPLE:
        assert len({variant.name for variant in product.variants}) == len(product.variants)


def test_a_few_percent_are_drafts_or_archived_and_a_few_are_sold_out() -> None:
    hidden = sum(product.status is not ProductStatus.ACTIVE for product in SAMPLE)
    sold_out = sum(variant.quantity == 0 for variant in VARIANTS)

    assert 0.02 < hidden / len(SAMPLE) < 0.06
    assert 0.02 < sold_out / len(VARIANTS) < 0.06


@pytest.mark.parametrize("products", [-1, 0, 200, 10_000_000])
async def test_a_number_of_products_that_cannot_be_is_refused(products: int) -> None:
    with pytest.raises(StackError, match="cannot have"):
        await seed(NOWHERE, profile=Profile.TEST, products=products)


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("toys.toml", 'category = "board-games"', 'category = "toys"', "no leaf toys"),
        ("toys.toml", '"banyan-page"', '"nobody"', "names a store"),
        ("toys.toml", "{brand} {theme} {craft} {kind}", "{brand} {kind}", "each of its words"),
        ("toys.toml", "From age three", "For {age} years", "unknown word"),
        ("toys.toml", "price = 849", "price = 0", "greater than or equal to 20"),
        ("toys.toml", 'craft = "crafts"', 'craft = "nothing"', "toys.toml"),
        ("toys.toml", "[lists]", "[lists", "toys.toml"),
    ],
)
def test_a_wrong_shelf_is_refused_by_name(
    tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    folder = spoiled(FILES, tmp_path / "shelves", file, old, new)

    with pytest.raises(SeedDataInvalid, match=complaint):
        load_shelves(folder)

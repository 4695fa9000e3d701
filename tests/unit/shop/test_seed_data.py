"""The seed files: what they promise, and that a wrong one is refused by name."""

import re
from pathlib import Path

import pytest

from shop.data.reader import FILES, SeedDataInvalid, load
from shop.data.records import Role
from shop.data.stable_ids import SEED_DAY, midnight, stable_id
from shop.data.tables import catalog_db
from tests.unit.shop.spoiling import spoiled

SEEDS = load()
MIN_SENTENCES, MAX_SENTENCES = 2, 4


def test_there_are_about_two_hundred_products_in_some_forty_leaves() -> None:
    assert 190 <= len(SEEDS.products) <= 210
    assert 35 <= len(SEEDS.leaves()) <= 45


def test_every_leaf_has_products_and_every_product_a_leaf() -> None:
    assert {product.category for product in SEEDS.products} == SEEDS.leaves()


def test_the_tree_is_three_levels_deep_and_has_no_cycle() -> None:
    parents = {category.key: category.parent for category in SEEDS.categories}

    def depth(key: str) -> int:
        parent = parents[key]
        return 1 if parent is None else 1 + depth(parent)

    assert max(depth(key) for key in parents) == 3


def test_every_store_sells_something_and_belongs_to_a_seller() -> None:
    owners = {account.key: account.role for account in SEEDS.accounts}

    assert {seller.key for seller in SEEDS.sellers} == {p.seller for p in SEEDS.products}
    assert all(owners[seller.owner] is Role.SELLER for seller in SEEDS.sellers)


def test_the_three_logins_are_there_with_their_roles_and_the_customer_has_an_address() -> None:
    accounts = {account.email: account for account in SEEDS.accounts}

    assert accounts["admin@shop.example"].role is Role.ADMIN
    assert accounts["seller@shop.example"].role is Role.SELLER
    assert accounts["demo@shop.example"].role is Role.CUSTOMER
    assert accounts["demo@shop.example"].address is not None


def test_some_variants_are_plentiful_some_low_and_some_sold_out() -> None:
    plenty = [v for v in SEEDS.variants if v.quantity > v.reorder_level]
    low = [v for v in SEEDS.variants if 0 < v.quantity <= v.reorder_level]
    sold_out = [v for v in SEEDS.variants if v.quantity == 0]

    assert len(plenty) > 250
    assert len(low) >= 10
    assert len(sold_out) >= 10


def test_every_description_is_a_few_sentences_on_one_line() -> None:
    for product in SEEDS.products:
        sentences = re.findall(r"[.!?](?=\s|$)", product.description)
        assert MIN_SENTENCES <= len(sentences) <= MAX_SENTENCES, product.key
        assert "\n" not in product.description


def test_no_two_products_share_a_name_or_a_description() -> None:
    assert len({product.name for product in SEEDS.products}) == len(SEEDS.products)
    assert len({product.description for product in SEEDS.products}) == len(SEEDS.products)


def test_a_stable_id_is_a_uuid7_of_its_day_and_always_the_same() -> None:
    identifier = stable_id("product", "zentari-z5")

    assert str(identifier) == str(stable_id("product", "zentari-z5"))
    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"
    assert identifier.int >> 80 == midnight(SEED_DAY).timestamp() * 1000
    assert identifier != stable_id("category", "zentari-z5")


def test_a_product_keeps_the_id_it_was_first_published_with() -> None:
    product = next(p for p in SEEDS.products if p.key == "zentari-z5")

    assert str(product.id) == "019c20cc-8400-76df-b3c2-2c53fadc743f"
    assert str(product.variants[0].id) == "01999d11-9800-7ddf-8216-506f9f2ad226"


def test_all_ids_differ() -> None:
    ids = [identifier for batch in catalog_db(SEEDS) for identifier in batch.ids]
    inventory = len(SEEDS.variants)

    assert len(set(ids)) == len(ids) - inventory


def test_later_listed_products_have_later_ids() -> None:
    by_id = sorted(SEEDS.products, key=lambda product: product.id.bytes)

    assert [p.listed for p in by_id] == sorted(p.listed for p in SEEDS.products)


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("products/toys.toml", "KHG-CHP-RED", "KHG-CRM-74", "the SKU KHG-CRM-74 is there 2 times"),
        ("products/toys.toml", '"khelghar-carrom-board"', '"khelghar-chaupar"', "khelghar-chaupar"),
        ("products/toys.toml", 'category = "board-games"', 'category = "toys"', "refers to toys"),
        ("products/toys.toml", 'seller = "banyan-page"', 'seller = "nobody"', "refers to nobody"),
        ("products/toys.toml", "price = 129900", "price = 0", "greater than 0"),
        ("products/toys.toml", "price = 129900", "price = 1299.0", "valid integer"),
        ("products/toys.toml", "price = 149900", "price = 999999999", "compareAtPrice"),
        ("products/toys.toml", "reorderLevel", "reorder", "toys.toml"),
        ("products/toys.toml", "listed = 2025-11-16", "listed = 2024-11-16", "listed before"),
        ("categories.toml", 'parent = "electronics"', 'parent = "smartphones"', "smartphones"),
        ("categories.toml", 'parent = "phones"', 'parent = "laptops"', "refers to laptops"),
        ("coupons.toml", "amount = 20000\n", "", "FLAT200"),
        ("sellers.toml", "[[sellers]]", "[sellers", "sellers.toml"),
    ],
)
def test_a_wrong_file_is_refused_by_name(
    tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    folder = spoiled(FILES, tmp_path / "catalogue", file, old, new)

    with pytest.raises(SeedDataInvalid, match=complaint):
        load(folder)

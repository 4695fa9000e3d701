"""What a store and a product may become from where they stand, and what their names become."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.models.products import (
    PRODUCT_MOVES,
    IllegalProductMove,
    LastVariant,
    Product,
    ProductStatus,
    ProductVariant,
    TooManyVariants,
)
from catalog_service.models.sellers import (
    CLOSED_STORE,
    SELLER_MOVES,
    IllegalStoreMove,
    Seller,
    SellerStatus,
)
from catalog_service.models.slugs import slugified
from catalog_service.schemas.products import MAX_VARIANTS
from catalog_service.services.products.changes import slug_of
from common_lib.ids import new_id
from common_lib.money import Money

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
EARLIER = datetime(2026, 11, 22, 12, tzinfo=UTC)


def store(status: SellerStatus, **changes: Any) -> Seller:
    usual: dict[str, Any] = {
        "id": new_id(),
        "user_id": new_id(),
        "store_name": "S",
        "slug": "s",
        "status": status,
        "updated_at": EARLIER,
    }
    return Seller(**usual | changes)


def variant(price: int = 100, *, is_active: bool = True, position: int = 0) -> ProductVariant:
    return ProductVariant(
        id=new_id(),
        sku=new_id().hex,
        name="M",
        price_minor=price,
        currency="INR",
        attributes={},
        is_active=is_active,
        position=position,
    )


def product(status: ProductStatus, *variants: ProductVariant) -> Product:
    return Product(
        id=new_id(),
        name="Kurta",
        slug="kurta",
        description="",
        status=status,
        min_price_minor=1,
        variants=list(variants),
        updated_at=EARLIER,
    )


def place(product: Product) -> tuple[ProductStatus, datetime | None]:
    return product.status, product.hidden_at


@pytest.mark.parametrize("target", SellerStatus)
@pytest.mark.parametrize("status", SellerStatus)
def test_a_store_moves_as_the_table_says_and_an_open_one_owes_its_owner_the_role(
    status: SellerStatus, target: SellerStatus
) -> None:
    seller = store(status)
    if target is status:
        assert seller.change_status(target, AT) is False
        assert seller.updated_at == EARLIER
    elif target in SELLER_MOVES[status]:
        assert seller.change_status(target, AT) is True
        assert (seller.status, seller.updated_at) == (target, AT)
        assert seller.role_due_at == (AT if target is SellerStatus.ACTIVE else None)
    else:
        with pytest.raises(IllegalStoreMove):
            seller.change_status(target, AT)
        assert seller.status is status


def test_a_store_is_opened_or_suspended_and_nothing_else() -> None:
    assert {
        SellerStatus.PENDING: {SellerStatus.ACTIVE, SellerStatus.SUSPENDED},
        SellerStatus.ACTIVE: {SellerStatus.SUSPENDED},
        SellerStatus.SUSPENDED: {SellerStatus.ACTIVE},
    } == SELLER_MOVES


def test_the_store_of_one_who_is_gone_is_closed_under_a_name_that_tells_nothing() -> None:
    seller = store(SellerStatus.ACTIVE, description="Kurtas by Asha", role_due_at=EARLIER)

    seller.close(AT)

    assert (seller.status, seller.role_due_at) == (SellerStatus.SUSPENDED, None)
    assert (seller.store_name, seller.description) == (CLOSED_STORE, "")
    assert seller.slug == f"closed-store-{seller.id.hex}"
    assert seller.updated_at == AT


def test_an_application_is_never_pending_twice_and_every_store_may_be_suspended() -> None:
    assert not any(SellerStatus.PENDING in moves for moves in SELLER_MOVES.values())
    others = set(SellerStatus) - {SellerStatus.SUSPENDED}
    assert all(SellerStatus.SUSPENDED in SELLER_MOVES[status] for status in others)
    assert [s for s in SellerStatus if store(s).may_sell] == [SellerStatus.ACTIVE]


@pytest.mark.parametrize("target", ProductStatus)
@pytest.mark.parametrize("status", ProductStatus)
def test_a_product_moves_as_the_table_says_and_waits_for_its_store_no_more(
    status: ProductStatus, target: ProductStatus
) -> None:
    moved = product(status)
    moved.hidden_at = EARLIER
    if target is status or target in PRODUCT_MOVES[status]:
        moved.move_to(target)
        assert place(moved) == (target, None)
    else:
        with pytest.raises(IllegalProductMove):
            moved.move_to(target)


def test_a_product_may_become_anything_from_everywhere() -> None:
    assert {status: set(ProductStatus) - {status} for status in ProductStatus} == PRODUCT_MOVES


def test_a_product_that_is_hidden_is_dated() -> None:
    hidden = product(ProductStatus.ACTIVE, variant())
    hidden.hide(AT)
    assert (hidden.hidden_at, hidden.updated_at) == (AT, AT)


def test_a_hidden_product_comes_back_on_sale() -> None:
    hidden = product(ProductStatus.ACTIVE, variant())
    hidden.hide(EARLIER)
    assert place(hidden) == (ProductStatus.ARCHIVED, EARLIER)
    hidden.come_back(AT)
    assert place(hidden) == (ProductStatus.ACTIVE, None)
    assert hidden.updated_at == AT


def test_a_hidden_product_without_anything_to_buy_stays_away() -> None:
    hidden = product(ProductStatus.ACTIVE, variant(is_active=False))
    hidden.hide(EARLIER)
    hidden.come_back(AT)
    assert place(hidden) == (ProductStatus.ARCHIVED, None)
    assert hidden.updated_at == AT


@pytest.mark.parametrize(("there", "place"), [((), 0), ((0,), 1), ((0, 1), 2), ((4, 2), 5)])
def test_a_further_variant_comes_after_all_others(there: tuple[int, ...], place: int) -> None:
    wider = product(ProductStatus.DRAFT, *(variant(position=n) for n in there))
    further = variant()
    wider.add_variant(further)
    assert further.position == place
    assert wider.variants[-1] is further


def test_a_variant_costs_its_price_in_its_currency() -> None:
    assert variant(500).price == Money(amount=500, currency="INR")


def test_the_lowest_price_is_that_of_what_can_be_bought() -> None:
    settled = product(ProductStatus.ACTIVE, variant(5, is_active=False), variant(9), variant(7))
    settled.settle()
    assert settled.min_price_minor == 7
    assert settled.updated_at > EARLIER


def test_only_an_active_product_needs_something_to_buy() -> None:
    with pytest.raises(LastVariant):
        product(ProductStatus.ACTIVE, variant(is_active=False)).settle()
    draft = product(ProductStatus.DRAFT, variant(is_active=False))
    draft.settle()
    assert draft.min_price_minor == 1


def test_a_further_variant_comes_last_until_there_are_too_many() -> None:
    full = product(ProductStatus.DRAFT, *(variant(position=n) for n in range(MAX_VARIANTS - 1)))
    last = variant()
    full.add_variant(last)
    assert last.position == MAX_VARIANTS - 1
    with pytest.raises(TooManyVariants):
        full.add_variant(variant())


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Cotton Kurta", "cotton-kurta"),
        ("  Été -- à la plage!  ", "ete-a-la-plage"),
        ("C++ & C#", "c-c"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Smørrebrød", "smorrebrod"),
        ("Œuvre Æther Ðuro Þing ıŋ ł", "oeuvre-aether-duro-thing-ing-l"),
        ("Cafe\u0301", "cafe"),
        ("\uff34-\uff33\uff48\uff49\uff52\uff54 \u2167", "t-shirt-viii"),
        ("Men\u2019s and women's", "mens-and-womens"),
        ("½ kg", "1-2-kg"),
        ("Widget™ №5 🪔", "widget-5"),
        ("साड़ी", "sadi"),
        ("日本", "riben"),
        ("Москва", "moskva"),
        ("Ελλάδα", "ellada"),
        ("\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "lrbyh"),
        ("soft\u00adware \u200b", "software"),
        ("🪔", ""),
        ("---", ""),
        ("", ""),
    ],
)
def test_a_name_becomes_a_part_of_an_address(name: str, slug: str) -> None:
    assert slugified(name, max_length=100) == slug


def test_a_long_name_is_cut_without_a_dash_at_its_end() -> None:
    assert slugified("aaa bbb", max_length=4) == "aaa"


@given(st.text(max_size=60), st.integers(min_value=1, max_value=20))
def test_whatever_the_name_its_address_is_plain(name: str, longest: int) -> None:
    slug = slugified(name, max_length=longest)
    assert len(slug) <= longest
    assert not slug or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)


def test_products_of_one_name_have_addresses_of_their_own() -> None:
    one, other = new_id(), new_id()
    assert slug_of("🪔", one).startswith("product-")
    assert slug_of("कुर्ता", one).startswith("kurta-")
    assert slug_of("Kurta", one) != slug_of("Kurta", other)
    assert len(slug_of("k" * 500, one)) <= 220

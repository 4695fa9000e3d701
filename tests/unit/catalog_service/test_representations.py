"""Cursors, entity tags, slugs, names and the category tree."""

from uuid import UUID

import pytest
from starlette.requests import Request

from catalog_service.api.deps import etag, expected_version, is_known_to_client
from catalog_service.models.categories import Category
from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.queries.reservations import line_name
from catalog_service.services.categories import build_tree
from catalog_service.services.products import Expectation, slug_of
from common_lib.errors import PreconditionFailed, StaleVersion


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("header", "version"),
    [('"7"', 7), ('"7-0a1b2c3d"', 7), ('W/"7-0a1b2c3d"', 7), ("*", None)],
)
def test_if_match_names_a_version(header: str, version: int | None) -> None:
    assert expected_version(request(if_match=header)) == version


@pytest.mark.parametrize("header", ["7", '"x"', '"7-zz"', "", '"99999999999"'])
def test_an_if_match_that_names_none_fails(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        expected_version(request(if_match=header))


def test_no_if_match_expects_nothing() -> None:
    assert expected_version(request()) is None


def test_if_none_match_compares_weakly() -> None:
    tag = etag(3, b"{}")
    assert is_known_to_client(request(if_none_match=f'"1", W/{tag}'), tag)
    assert is_known_to_client(request(if_none_match="*"), tag)
    assert not is_known_to_client(request(if_none_match='"3"'), tag)
    assert not is_known_to_client(request(), tag)


def test_a_tag_changes_with_the_bytes_though_the_version_stays() -> None:
    assert etag(3, b'{"available":1}') != etag(3, b'{"available":2}')


def test_a_stale_header_and_a_stale_body_are_told_apart() -> None:
    with pytest.raises(PreconditionFailed):
        Expectation(if_match=1).check(2)
    with pytest.raises(StaleVersion):
        Expectation(version=1).check(2)
    Expectation().check(2)
    Expectation(if_match=2, version=2).check(2)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café Crème 250 g", "cafe-creme-250-g"),
        ("  ../<script>  ", "script"),
        ("साड़ी", "sadi"),
        ("🪔", "product"),
    ],
)
def test_a_slug_is_plain_and_unique(name: str, slug: str) -> None:
    product_id = UUID(int=0xABCD1234)
    assert slug_of(name, product_id) == f"{slug}-abcd1234"


@pytest.mark.parametrize(
    ("product", "variant", "name"),
    [
        ("Kurta", "M / Blue", "Kurta (M / Blue)"),
        ("Kurta", "Kurta", "Kurta"),
        ("Kurta", "", "Kurta"),
    ],
)
def test_a_line_names_the_variant_where_it_says_more(product: str, variant: str, name: str) -> None:
    assert line_name(product, variant) == name


def category(n: int, parent: int | None) -> Category:
    parent_id = None if parent is None else UUID(int=parent)
    return Category(id=UUID(int=n), parent_id=parent_id, name=f"c{n}", slug=f"c{n}", position=0)


def test_the_tree_hangs_each_category_below_its_parent() -> None:
    rows = [category(1, None), category(2, 1), category(3, 2), category(4, None)]
    tree = build_tree(rows)
    assert [root.name for root in tree.items] == ["c1", "c4"]
    assert tree.items[0].children[0].children[0].name == "c3"


@pytest.mark.parametrize("status", list(SellerStatus))
def test_only_an_active_store_may_sell(status: SellerStatus) -> None:
    assert Seller(status=status).may_sell == (status is SellerStatus.ACTIVE)

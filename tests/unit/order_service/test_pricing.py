"""Totals to the last minor unit, and the coupon's rules."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_lib.errors import Conflict, DomainError
from common_lib.money import MAX_MINOR
from order_service.services.pricing import (
    CouponAlreadyUsed,
    CouponExhausted,
    CouponExpired,
    CouponMinimumNotReached,
    CouponNotValid,
    CouponNotYetValid,
    CouponRule,
    PriceChanged,
    TotalTooLarge,
    check_expected,
    price,
)
from order_service.settings import FreeShippingBasis, Settings
from tests.unit.order_service.examples import (
    a_coupon,
    a_fixed_coupon,
    a_line,
    a_tariff,
    inr,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
amounts = st.integers(min_value=1, max_value=10_000_000)
some_lines = st.lists(st.tuples(amounts, st.integers(1, 50)), min_size=1, max_size=20)


def test_lines_add_up_to_the_subtotal() -> None:
    totals = price([a_line(100, 3), a_line(250)], a_tariff(), None)

    assert [line.line_total for line in totals.lines] == [300, 250]
    assert (totals.subtotal, totals.total) == (inr(550), inr(550))


@pytest.mark.parametrize(("goods", "shipping"), [(49_899, 4_900), (49_900, 0), (60_000, 0)])
def test_shipping_is_free_from_the_threshold_on(goods: int, shipping: int) -> None:
    tariff = a_tariff(shipping_fee_minor=4_900, free_shipping_from_minor=49_900)

    totals = price([a_line(goods)], tariff, None)

    assert (totals.shipping, totals.total) == (inr(shipping), inr(goods + shipping))


@pytest.mark.parametrize(
    ("basis", "shipping"),
    [(FreeShippingBasis.BEFORE_DISCOUNT, 0), (FreeShippingBasis.AFTER_DISCOUNT, 4_900)],
)
def test_a_setting_says_whether_a_discount_may_bring_the_delivery_fee_back(
    basis: FreeShippingBasis, shipping: int
) -> None:
    tariff = a_tariff(
        shipping_fee_minor=4_900, free_shipping_from_minor=49_900, free_shipping_basis=basis
    )

    some_off = price([a_line(49_900)], tariff, a_fixed_coupon(100))
    all_off = price([a_line(100_000)], tariff, a_coupon(percent_basis_points=10_000))

    assert some_off.total == inr(49_800 + shipping)
    assert all_off.total == inr(shipping)


def test_a_coupon_that_pays_for_everything_leaves_delivery_free_by_default() -> None:
    basis = Settings.model_fields["free_shipping_basis"].default

    assert basis is FreeShippingBasis.BEFORE_DISCOUNT


def test_tax_on_top_is_rounded_half_up_once_per_line() -> None:
    tariff = a_tariff(tax_basis_points=1_800, is_tax_included=False)

    totals = price([a_line(25), a_line(25)], tariff, None)

    assert totals.tax == inr(10), "4.5 is 5, twice"
    assert totals.total == inr(60)


def test_included_tax_is_named_and_not_added() -> None:
    tariff = a_tariff(tax_basis_points=1_800, is_tax_included=True)

    totals = price([a_line(11_800)], tariff, None)

    assert (totals.tax, totals.total) == (inr(1_800), inr(11_800))


@pytest.mark.parametrize("lines", [(3_345,), (1_115, 1_115, 1_115), (1, 3_344), (5,) * 669])
def test_ten_percent_of_one_order_is_the_same_however_its_lines_are_cut(
    lines: tuple[int, ...],
) -> None:
    totals = price([a_line(amount) for amount in lines], a_tariff(), a_coupon())

    assert totals.discount == inr(335)
    assert totals.total == inr(3_010)


def test_a_percentage_is_capped() -> None:
    coupon = a_coupon(percent_basis_points=5_000, max_discount_minor=1_000)

    totals = price([a_line(10_000), a_line(30_000)], a_tariff(), coupon)

    assert [line.discount for line in totals.lines] == [250, 750]


def test_a_fixed_coupon_never_gives_more_than_the_goods_cost() -> None:
    totals = price([a_line(300), a_line(200)], a_tariff(), a_fixed_coupon(10_000))

    assert (totals.discount, totals.total) == (inr(500), inr(0))


some_coupons = st.builds(
    lambda bp, cap: a_coupon(percent_basis_points=bp, max_discount_minor=cap),
    st.integers(1, 10_000),
    st.none() | st.integers(1, 10_000_000),
) | st.builds(a_fixed_coupon, st.integers(1, 100_000_000))


@given(lines=some_lines, coupon=some_coupons)
def test_each_line_bears_its_share_of_the_discount_to_within_a_minor_unit(
    lines: list[tuple[int, int]], coupon: CouponRule
) -> None:
    reserved = [a_line(amount, quantity) for amount, quantity in lines]

    totals = price(reserved, a_tariff(), coupon)
    again = price(reserved, a_tariff(), coupon)

    shares = [line.discount for line in totals.lines]
    discount, subtotal = totals.discount.amount, totals.subtotal.amount
    assert sum(shares) == discount
    assert shares == [line.discount for line in again.lines]
    for line in totals.lines:
        assert abs(line.discount - Fraction(discount * line.line_total, subtotal)) < 1
        assert 0 <= line.discount <= line.line_total


@given(lines=some_lines, coupon=some_coupons)
def test_a_discount_is_the_one_of_the_whole_order_as_a_single_line(
    lines: list[tuple[int, int]], coupon: CouponRule
) -> None:
    worth = sum(amount * quantity for amount, quantity in lines)

    cut = price([a_line(amount, quantity) for amount, quantity in lines], a_tariff(), coupon)
    whole = price([a_line(worth)], a_tariff(), coupon)

    assert cut.discount == whole.discount


@given(lines=some_lines, coupon=some_coupons, tax=st.integers(1, 3_000))
def test_tax_is_taken_of_what_each_line_costs_after_its_share(
    lines: list[tuple[int, int]], coupon: CouponRule, tax: int
) -> None:
    tariff = a_tariff(tax_basis_points=tax, is_tax_included=False)

    totals = price([a_line(amount, quantity) for amount, quantity in lines], tariff, coupon)

    for line in totals.lines:
        exact = Fraction((line.line_total - line.discount) * tax, 10_000)
        assert abs(line.tax - exact) <= Fraction(1, 2)
    assert totals.tax.amount == sum(line.tax for line in totals.lines)


@given(lines=some_lines, off=st.integers(1, 100_000_000))
def test_a_fixed_discount_is_spread_without_loss(lines: list[tuple[int, int]], off: int) -> None:
    reserved = [a_line(amount, quantity) for amount, quantity in lines]

    totals = price(reserved, a_tariff(), a_fixed_coupon(off))

    assert totals.discount.amount == min(off, totals.subtotal.amount)
    assert all(line.discount <= line.line_total for line in totals.lines)


@given(lines=some_lines, bp=st.integers(1, 10_000), tax=st.integers(0, 3_000), inside=st.booleans())
def test_totals_always_add_up(
    lines: list[tuple[int, int]], bp: int, tax: int, inside: bool
) -> None:
    reserved = [a_line(amount, quantity) for amount, quantity in lines]
    tariff = a_tariff(tax_basis_points=tax, is_tax_included=inside, shipping_fee_minor=99)

    totals = price(reserved, tariff, a_coupon(percent_basis_points=bp))

    on_top = 0 if inside else totals.tax.amount
    expected = totals.subtotal.amount - totals.discount.amount + totals.shipping.amount + on_top
    assert totals.total.amount == expected
    assert totals.discount.amount == sum(line.discount for line in totals.lines)
    assert 0 <= totals.discount.amount <= totals.subtotal.amount


def test_a_minor_unit_that_cannot_be_cut_goes_where_the_largest_part_of_it_is_due() -> None:
    lines = [a_line(600), a_line(250), a_line(150)]

    totals = price(lines, a_tariff(), a_fixed_coupon(7))

    assert [line.discount for line in totals.lines] == [4, 2, 1], "of 4.2, 1.75 and 1.05"


@pytest.mark.parametrize("coupon", [a_coupon(), a_fixed_coupon(100)])
def test_a_coupon_on_what_costs_nothing_takes_nothing_off(coupon: CouponRule) -> None:
    totals = price([a_line(0), a_line(0, 3)], a_tariff(), coupon)

    assert [line.discount for line in totals.lines] == [0, 0]
    assert (totals.discount, totals.total) == (inr(0), inr(0))


def test_the_smallest_order_can_be_paid_by_a_coupon() -> None:
    totals = price([a_line(1)], a_tariff(), a_fixed_coupon(100))

    assert (totals.discount, totals.total) == (inr(1), inr(0))


def test_a_coupon_that_names_neither_share_nor_amount_takes_nothing_off() -> None:
    coupon = a_coupon(percent_basis_points=None, amount_minor=None)

    assert price([a_line(500)], a_tariff(), coupon).discount == inr(0)


def test_the_largest_total_there_is_can_be_paid() -> None:
    assert price([a_line(MAX_MINOR)], a_tariff(), None).total == inr(MAX_MINOR)


@pytest.mark.parametrize(
    ("goods", "fee", "coupon"),
    [
        ((MAX_MINOR, MAX_MINOR), 0, None),
        ((MAX_MINOR, 1), 0, None),
        ((MAX_MINOR, 1), 0, a_fixed_coupon(100)),
        ((MAX_MINOR,), 1, None),
    ],
)
def test_an_order_beyond_all_bounds_is_refused(
    goods: tuple[int, ...], fee: int, coupon: CouponRule | None
) -> None:
    tariff = a_tariff(shipping_fee_minor=fee, free_shipping_from_minor=MAX_MINOR + 1)

    with pytest.raises(TotalTooLarge):
        price([a_line(amount) for amount in goods], tariff, coupon)


def test_goods_in_another_currency_than_the_shops_are_refused() -> None:
    with pytest.raises(Conflict, match="another currency"):
        price([a_line(500)], a_tariff(currency="USD"), None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"is_active": False}, CouponNotValid),
        ({"valid_until": NOW}, CouponExpired),
        ({"valid_from": NOW + timedelta(seconds=1)}, CouponNotYetValid),
        ({"usage_limit": 3, "used_count": 3}, CouponExhausted),
        ({"redeemed": frozenset({1})}, CouponAlreadyUsed),
        ({"usage_limit": 1, "used_count": 1, "redeemed": frozenset({1})}, CouponExhausted),
    ],
)
def test_a_coupon_that_may_not_be_used_says_why(
    changes: dict[str, Any], error: type[DomainError]
) -> None:
    with pytest.raises(error):
        a_coupon(**changes).check(NOW)


def test_a_coupon_in_its_bounds_may_be_used() -> None:
    coupon = a_coupon(valid_from=NOW, usage_limit=3, used_count=2, per_user_limit=2)

    coupon.check(NOW)


@pytest.mark.parametrize(
    ("made", "following"), [(set(), 1), ({1}, 2), ({1, 2}, 3), ({1, 2, 3}, None)]
)
def test_a_buyer_has_as_many_uses_as_the_coupon_allows(
    made: set[int], following: int | None
) -> None:
    coupon = a_coupon(per_user_limit=3, redeemed=frozenset(made))

    assert coupon.next_use() == following


def test_a_use_that_was_given_back_is_used_again_first() -> None:
    coupon = a_coupon(per_user_limit=3, redeemed=frozenset({1, 3}))

    assert coupon.next_use() == 2


def test_a_minimum_is_reached_by_the_goods_before_the_discount() -> None:
    coupon = a_fixed_coupon(100, min_order_minor=500)

    assert price([a_line(500)], a_tariff(), coupon).total == inr(400)
    with pytest.raises(CouponMinimumNotReached):
        price([a_line(499)], a_tariff(), coupon)


def test_another_total_than_expected_is_refused_with_the_new_one() -> None:
    with pytest.raises(PriceChanged) as refused:
        check_expected(inr(600), inr(500))

    assert refused.value.details == {"total": {"amount": 600, "currency": "INR"}}


def test_the_expected_total_and_none_are_fine() -> None:
    check_expected(inr(600), inr(600))
    check_expected(inr(600), None)

"""Amounts: whole minor units of one currency, each with decimals of its own."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common_lib.money import MAX_MINOR, Money, decimals, major_units, total

AMOUNTS = st.integers(min_value=0, max_value=MAX_MINOR // 1000)


def rupees(amount: int) -> Money:
    return Money(amount=amount, currency="INR")


@given(AMOUNTS, st.integers(min_value=0, max_value=1000))
def test_times_is_repeated_addition(amount: int, quantity: int) -> None:
    assert rupees(amount).times(quantity).amount == amount * quantity


@given(st.lists(AMOUNTS))
def test_a_total_is_the_sum_of_its_parts(amounts: list[int]) -> None:
    assert total(rupees(amount) for amount in amounts).amount == sum(amounts)


@pytest.mark.parametrize(
    ("amount", "basis_points", "share"), [(5, 1000, 1), (4, 1000, 0), (149_900, 1800, 26_982)]
)
def test_a_share_is_rounded_half_up_once(amount: int, basis_points: int, share: int) -> None:
    assert rupees(amount).percentage(basis_points).amount == share


@given(AMOUNTS, AMOUNTS)
def test_what_is_added_can_be_taken_away_again(amount: int, other: int) -> None:
    both = rupees(amount) + rupees(other)

    assert both == rupees(amount + other)
    assert both - rupees(other) == rupees(amount)


def test_different_currencies_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="different currencies"):
        rupees(1) + Money(amount=1, currency="USD")


@pytest.mark.parametrize("amount", [-1, 0.001, MAX_MINOR + 1, "5", True])
def test_an_impossible_amount_is_refused(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "INR"})


def test_an_amount_has_the_currency_it_came_in() -> None:
    ten = Money(amount=10, currency="EUR")

    made = [ten + ten, ten - ten, ten.times(2), ten.percentage(100), total([ten], "EUR")]

    assert {amount.currency for amount in made} == {"EUR"}


def test_different_currencies_are_not_taken_from_each_other() -> None:
    with pytest.raises(ValueError, match="different currencies"):
        rupees(1) - Money(amount=1, currency="USD")


def test_ten_billion_less_a_minor_unit_is_the_most_there_is() -> None:
    assert rupees(999_999_999_999).amount == MAX_MINOR
    assert rupees(0).amount == 0


@pytest.mark.parametrize(
    ("currency", "digits", "written"),
    [
        ("INR", 2, "14.99"),
        ("USD", 2, "14.99"),
        ("JPY", 0, "1499"),
        ("KRW", 0, "1499"),
        ("KWD", 3, "1.499"),
        ("TND", 3, "1.499"),
        ("CLF", 4, "0.1499"),
        ("UYW", 4, "0.1499"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(
    currency: str, digits: int, written: str
) -> None:
    assert decimals(currency) == digits
    assert major_units(1499, currency) == Decimal(written)
    assert str(major_units(1499, currency)) == written

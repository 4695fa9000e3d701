"""Numbers in files: understood however a program writes them, refused where they may be two."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.services.imports.numbers import (
    NoNumber,
    major_units,
    minor_units,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("1499.00", "INR", 149_900),
        ("1499", "INR", 149_900),
        ("0.05", "INR", 5),
        ("1.5", "INR", 150),
        ("1499.0000", "INR", 149_900),
        ("0.500", "INR", 50),
        ("0", "INR", 0),
        ("-1", "INR", -100),
        ("1,499.00", "INR", 149_900),
        ("1.499,00", "INR", 149_900),
        ("1499,5", "INR", 149_950),
        ("12,34,567.89", "INR", 123_456_789),
        ("1,234,567", "INR", 123_456_700),
        ("1 499,00", "INR", 149_900),
        ("1\u00a0499.00", "INR", 149_900),
        ("1\u202f499", "INR", 149_900),
        ("1'499.00", "INR", 149_900),
        ("1499", "JPY", 1499),
        ("1499.00", "JPY", 1499),
        ("149900", "JPY", 149_900),
        ("1.499", "KWD", 1499),
        ("1499", "KWD", 1_499_000),
        ("1,499.125", "KWD", 1_499_125),
        ("0.0001", "CLF", 1),
    ],
)
def test_an_amount_is_read_by_the_decimals_of_its_currency(
    text: str, currency: str, amount: int
) -> None:
    assert minor_units(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "words"),
    [
        ("1,499", "INR", "may part thousands or decimals"),
        ("1.499", "INR", "may part thousands or decimals"),
        ("1,499", "JPY", "may part thousands or decimals"),
        ("1.499", "JPY", "may part thousands or decimals"),
        ("1,499", "KWD", "may part thousands or decimals"),
        ("0.001", "INR", "at most 2 decimals"),
        ("1499.5", "JPY", "in JPY has no decimals"),
        ("1499.1234", "KWD", "at most 3 decimals"),
        *(
            (text, "INR", "with a point, like 1499.00")
            for text in (
                *("1e3", "NaN", "1_000", "+1", ".5", "1.", "", "1 0", "1\n", "9" * 16, "12,34.56"),
                *(
                    "1,2,3",
                    "1..5",
                    "1.2,3.4",
                    "\u20b91499",
                    "Rs. 1499",
                    "\u096b",
                    "--1",
                    "1,49,9.00",
                ),
                *("1.499,000.00", "\u201c1499\u201d", "1499.00 INR"),
            )
        ),
    ],
)
def test_what_is_no_amount_or_might_be_two_is_refused(text: str, currency: str, words: str) -> None:
    with pytest.raises(NoNumber) as refused:
        minor_units(text, currency)
    assert words in refused.value.detail
    assert refused.value.code == "decimal_parsing"


@given(st.integers(0, 10**12), st.sampled_from(["INR", "JPY", "KWD", "CLF", "IQD"]))
def test_amounts_come_back_exactly(amount: int, currency: str) -> None:
    assert minor_units(major_units(amount, currency), currency) == amount


@given(st.text("0123456789., '-\u00a0", max_size=12))
def test_no_text_breaks_the_reading_of_numbers(text: str) -> None:
    for read in (whole_number, lambda each: minor_units(each, "INR")):
        with contextlib.suppress(NoNumber):
            assert isinstance(read(text), int)


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("12.0", 12), ("12,00", 12), ("-3", -3), ("1 000", 1000)]
)
def test_a_count_may_be_written_as_programs_write_numbers(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1.5", "1,000", "1.000", "twelve", "", "1e3", "0x10"])
def test_a_count_that_is_none_or_might_be_two_is_refused(text: str) -> None:
    with pytest.raises(NoNumber):
        whole_number(text)

"""Cursors: what a list gave out comes back, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.ids import new_id


@pytest.mark.parametrize("value", [149_900, "4.50", None])
def test_a_cursor_comes_back_as_it_was_given(value: str | int | None) -> None:
    product_id = new_id()
    assert decode_cursor(encode_cursor("price", value, product_id), "price") == (value, product_id)


def test_a_cursor_of_another_sort_is_refused() -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor("price", 1, new_id()), "rating")


@given(st.text(max_size=300))
def test_no_text_breaks_the_cursor_reader(text: str) -> None:
    try:
        decode_cursor(text, "price")
    except InvalidCursor:
        return


@pytest.mark.parametrize("cursor", ["", "!", "AAAA", "x" * 300, "é", "W10", "bnVsbA"])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, "price")

"""What people type, made safe for a boolean full-text query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.services.search import text_match


@pytest.mark.parametrize(
    ("typed", "expression"),
    [
        ("samsung phone", "+samsung* +phone*"),
        ("Samsung PHONE", "+samsung* +phone*"),
        ('"exact phrase" -minus', "+exact* +phrase* +minus*"),
        ("the phone for you", "+phone* +you*"),
        ("wi-fi router", "+router*"),
        ("snake_case", "+snake* +case*"),
        ("(phone", "+phone*"),
        ("phone* +tv ~x <y >z @8", "+phone*"),
    ],
)
def test_words_are_required_as_prefixes(typed: str, expression: str) -> None:
    assert text_match(typed).expression == expression


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("+", "%+%"),
        ("c++", "%c++%"),
        ("(", "%(%"),
        ("a@b", "%a@b%"),
        ("tv", "%tv%"),
        ("' OR 1=1--", "%' OR 1=1--%"),
        ("5%", "%5|%%"),
        ("a_b|", "%a|_b||%"),
    ],
)
def test_what_has_no_indexed_word_is_looked_for_as_it_stands(typed: str, pattern: str) -> None:
    match = text_match(typed)
    assert match.expression is None
    assert match.pattern == pattern


def test_a_long_query_keeps_its_first_ten_words() -> None:
    expression = text_match(" ".join(f"word{n}" for n in range(20))).expression
    assert expression is not None
    assert len(expression.split()) == 10


@given(st.text(min_size=1, max_size=100))
def test_no_operator_ever_reaches_the_database(typed: str) -> None:
    match = text_match(typed)
    if match.expression is None:
        return
    for word in match.expression.split(" "):
        assert word.startswith("+")
        assert word.endswith("*")
        assert word[1:-1].replace("_", "x").isidentifier() or word[1:-1].isalnum()

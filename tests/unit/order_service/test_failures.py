"""Why a payment failed is told in words, whatever the provider calls it."""

import re

import pytest

from order_service.models.failures import BY_DEFAULT, FAILURES, failure_in_words

CODE = re.compile(r"\b[a-z]+_[a-z_]+\b")


@pytest.mark.parametrize("code", ["unknown_token", "card_declined", "insufficient_funds"])
def test_a_known_code_has_words_of_its_own(code: str) -> None:
    assert failure_in_words(code) not in (code, BY_DEFAULT)
    assert failure_in_words(code.upper()) == failure_in_words(code)


@pytest.mark.parametrize("code", ["", "E_4711", "some_new_code", "SELECT 1", "<b>"])
def test_an_unknown_code_is_never_shown(code: str) -> None:
    assert failure_in_words(code) == BY_DEFAULT


def test_no_words_hold_a_code() -> None:
    for words in {BY_DEFAULT, *FAILURES.values()}:
        assert CODE.search(words) is None
        assert words.endswith(".")


def test_a_thief_does_not_learn_that_a_card_was_reported() -> None:
    words = {failure_in_words(code) for code in ("lost_card", "stolen_card", "fraudulent")}

    assert words == {failure_in_words("card_declined")}

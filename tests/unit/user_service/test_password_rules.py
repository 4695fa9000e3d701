"""Which passwords are taken in production: none that guessing begins with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_service.services.password_rules import CommonPassword, PasswordRules, is_common

STRICT = PasswordRules(refuses_common=True)
EMAIL, NAME = "asha.rao@example.com", "Asha Rao"


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "PASSWORD",
        "12345678",
        "aaaaaaaaaa",
        "abcdefghij",
        "87654321",
        "qwerty123",
        # hidden, but not well
        "  password123 ",
        "pass word 123",
        "Password2026",
        "P@ssw0rd!",
        "$UN5H1NE",
        "12345678!",
        "!qwerty!!123",
        "abcabcabc",
        "1212121212",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11",
        # the shop's own
        "TheShop2026!",
        "the shop 1",
        "the-shop-123",
        "ecommerce#1",
        # the account's own
        "asha.rao@example.com",
        "ASHA.RAO@EXAMPLE.COM",
        "asha.rao1",
        "AshaRao1990",
        "Asha Rao!!",
        "asha1234",
    ],
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(CommonPassword) as refused:
        STRICT.check(password, EMAIL, NAME, pointer="/newPassword")

    assert refused.value.errors[0].pointer == "/newPassword"
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Tr0ub4dor&3",
        "aaaaaaab",
        "x" * 72 + "y",
        "my shopping cart is full",
        "asha likes mangoes",
        "shop837462837461",
        "kx8#mQ!2vB",
        "नमस्ते-दुनिया-42",
    ],
)
def test_another_password_is_taken(password: str) -> None:
    STRICT.check(password, EMAIL, NAME)


def test_the_development_profile_takes_the_briefs_own_password() -> None:
    PasswordRules(refuses_common=False).check("password123", EMAIL, NAME)


@pytest.mark.parametrize("name", ["", "Li", "X Æ", "\u200b", "@@@"])
def test_a_short_or_odd_name_refuses_nothing_by_itself(name: str) -> None:
    STRICT.check("correct horse battery", "a@example.com", name)


@given(st.text(min_size=8, max_size=40), st.text(max_size=40))
def test_any_text_is_judged(password: str, name: str) -> None:
    assert is_common(password, EMAIL, name) == is_common(f" {password} ", EMAIL, name)

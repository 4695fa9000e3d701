"""Which e-mail addresses an account may have, and the one spelling it is kept under."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from user_service.schemas.auth import LoginRequest
from user_service.schemas.credentials import ForgotRequest
from user_service.schemas.emails import MAX_ASKED_LENGTH, asked_email
from user_service.schemas.users import ProfileRequest, RegisterRequest, UsersQuery

KEPT = "anna@xn--bcher-kva.example"
SPELLINGS = [
    "anna@bücher.example",
    "anna@BÜCHER.example",
    "ANNA@xn--bcher-kva.example",
    "anna@XN--BCHER-KVA.EXAMPLE",
    "anna@bu\u0308cher.example",
    "anna@bücher。example",
    "anna@\uff42ücher.example",
    "  anna@bücher.example\n",
]


def register(email: object) -> RegisterRequest:
    body = {"email": email, "password": "password123", "fullName": "A"}
    return RegisterRequest.model_validate(body)


def login(email: str) -> LoginRequest:
    return LoginRequest.model_validate({"email": email, "password": "x"})


@pytest.mark.parametrize("email", SPELLINGS)
def test_every_spelling_of_an_address_is_the_same_account(email: str) -> None:
    forms: list[Any] = [
        register(email),
        login(email),
        ForgotRequest.model_validate({"email": email}),
        ProfileRequest.model_validate({"email": email}),
        UsersQuery.model_validate({"email": email}),
    ]

    assert {form.email for form in forms} == {KEPT}


@pytest.mark.parametrize(
    "email",
    [
        "a@b.co",
        "first.last+tag@sub.example.co.in",
        "o'neil@example.com",
        "1@2.io",
        "a@evil.example",
        "a@xn--fa-hia.de",
        "x" * 64 + "@example.com",
        f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.example.com",
        "!#$%&'*+/=?^_`{|}~-@example.com",
    ],
)
def test_addresses_that_mail_can_reach_are_kept_as_they_are(email: str) -> None:
    assert register(email).email == email


@pytest.mark.parametrize(
    "email",
    [
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@1.2.3.400",
        "a@localhost",
        "a@b",
        "a@test",
        "a@example..com",
        "a@.example.com",
        "a@example.com.",
        "a@-example.com",
        "a@example-.com",
        "a@exa_mple.com",
        "a@example.123",
        "a@shop.local",
        f"a@{'x' * 64}.com",
        '"a b"@example.com',
        '"a"@example.com',
        "a b@example.com",
        "a@exam ple.com",
        "a@b@example.com",
        "@example.com",
        "a@",
        "a",
        "a@example,com",
        "Anna <a@example.com>",
        "mailto:a@example.com",
        "a@example.com,b@example.com",
        "a@example.com\nBcc: b@example.com",
        "a@exa\u200bmple.com",
        "a@☃.example",
        "a@xn--a.example",
        "é@example.com",
        "\uff41@example.com",
        "x" * 65 + "@example.com",
        f"{'x' * 60}@{'y' * 63}.{'z' * 63}.{'w' * 63}.com",
        f"{'x' * 40}@{'ü' * 40}.{'ü' * 40}.{'ü' * 40}.example",
        "a@deleted.invalid",
        "A@DELETED.INVALID",
        "a@shop.invalid",
        "",
        " ",
    ],
)
def test_what_mail_cannot_reach_is_refused_and_not_repeated(email: str) -> None:
    with pytest.raises(ValidationError) as refused:
        register(email)

    [entry] = refused.value.errors()
    assert (entry["loc"], entry["type"]) == (("email",), "invalid_email")
    assert "\uff41" not in entry["msg"]


def test_an_address_without_mail_to_its_letters_says_so() -> None:
    with pytest.raises(ValidationError) as refused:
        register("жанна@example.com")

    assert "before the @" in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("email", ["a..b@example.com", "a@localhost", "no address", "é@b.co"])
def test_what_is_no_address_is_looked_up_all_the_same(email: str) -> None:
    """Such an account may be left from before; whoever has none is told nothing."""
    assert login(f" {email.upper()}").email == email


@pytest.mark.parametrize("model", [LoginRequest, ForgotRequest])
def test_what_is_looked_up_is_never_longer_than_its_column(model: type[BaseModel]) -> None:
    body = {"email": "İ" * MAX_ASKED_LENGTH, "password": "x"}
    read: Any = model.model_validate(
        {name: body[name] for name in model.model_fields if name in body}
    )

    assert len(read.email) <= MAX_ASKED_LENGTH


def test_an_empty_filter_is_none() -> None:
    assert UsersQuery.model_validate({"email": " "}).email is None


@given(st.emails())
def test_an_address_that_was_looked_up_is_looked_up_the_same_again(email: str) -> None:
    once = asked_email(f" {email} ")

    assert asked_email(once) == once


@given(st.text(max_size=40) | st.emails())
def test_no_text_makes_the_address_check_fail_otherwise_than_by_refusing(text: str) -> None:
    try:
        email = register(text).email
    except ValidationError:
        return
    assert email.isascii()
    assert email == email.lower()
    assert register(email).email == email

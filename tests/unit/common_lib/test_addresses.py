"""What an address needs in which country, and what is said about it in that country's words."""

from typing import Any

import pytest
from pydantic import ValidationError

from common_lib.addresses import PostalAddress, may_be_called
from common_lib.problems import sentence_of
from order_service.schemas.orders import PlaceOrder
from tests.shopper import ADDRESS
from user_service.schemas.addresses import AddressRequest

ABROAD = {"fullName": "Anna", "phone": "+971501234567", "addressLine1": "1 Main Road"}


def wrong(model: type[Any], body: object) -> list[tuple[str, str, str]]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    return [
        ("/".join(map(str, entry["loc"])), entry["type"], sentence_of(dict(entry)))
        for entry in refused.value.errors()
    ]


@pytest.mark.parametrize(
    "address",
    [
        {"country": "AE", "state": "Dubai", "city": "Dubai"},
        {"country": "AE", "state": "دبي"},
        {"country": "SG", "pincode": "238801"},
        {"country": "SG", "pincode": "238801", "city": "Singapore", "state": ""},
        {"country": "IE", "city": "Dublin"},
        {"country": "IE", "city": "Dublin", "state": "Co. Dublin", "pincode": "D02 AF30"},
        {"country": "HK", "city": "Central", "state": "Hong Kong"},
        {"country": "US", "city": "Mountain View", "state": "CA", "pincode": "94043"},
        {"country": "US", "city": "New York", "state": "new york", "pincode": "10001-1234"},
        {"country": "IN", "city": "Puducherry", "state": "Pondicherry", "pincode": "605 001"},
        {"country": "GB", "city": "London", "pincode": "SW1A1AA"},
        {"country": "DE", "city": "Berlin", "pincode": "10115"},
        {"country": "CA", "city": "Montréal", "state": "Quebec", "pincode": "h3z 2y7"},
        {"country": "JP", "state": "東京都", "pincode": "1540023"},
        {"country": "XK", "city": "Pristina"},
        {"country": "Ireland", "city": "Cork"},
    ],
)
def test_an_address_needs_what_its_country_needs(address: dict[str, Any]) -> None:
    taken = PostalAddress.model_validate(ABROAD | address)

    assert taken.pincode == address.get("pincode")


@pytest.mark.parametrize(
    ("address", "member", "code", "words"),
    [
        ({"country": "AE"}, "state", "missing", "an emirate"),
        ({"country": "SG"}, "pincode", "missing", "a postal code"),
        ({"country": "IE"}, "city", "missing", "a city"),
        ({"country": "IE", "city": "X", "pincode": "D02"}, "pincode", None, "Eircode of Ireland"),
        ({"country": "HK", "city": "Central"}, "state", "missing", "an area"),
        ({"country": "GB", "pincode": "SW1A 1AA"}, "city", "missing", "a post town"),
        ({"country": "GB", "city": "X", "pincode": "560001"}, "pincode", None, "like EC1Y 8SY"),
        ({"country": "US", "city": "X", "pincode": "94043"}, "state", "missing", "a state"),
        (
            {"country": "US", "city": "X", "state": "CA", "pincode": "10001"},
            "pincode",
            None,
            "another state",
        ),
        (
            {"country": "US", "city": "X", "state": "CA", "pincode": "9404"},
            "pincode",
            None,
            "ZIP code of the United States",
        ),
        (
            {"country": "US", "city": "X", "state": "Bavaria", "pincode": "94043"},
            "state",
            "unknown_state",
            "no such state",
        ),
        ({"city": "X", "state": "Goa"}, "pincode", "missing", "a PIN code"),
        ({"city": "X", "state": "Goa", "pincode": "56001"}, "pincode", None, "PIN code of India"),
        ({"city": "X", "state": "Goa", "pincode": "056001"}, "pincode", None, "PIN code of India"),
        ({"country": "JP", "state": "東京都", "pincode": "15400"}, "pincode", None, "154-0023"),
    ],
)
def test_what_a_country_misses_is_named_in_its_own_words(
    address: dict[str, Any], member: str, code: str | None, words: str
) -> None:
    [(place, kind, sentence)] = wrong(PostalAddress, ABROAD | address)

    assert (place, kind) == (member, code or "string_pattern_mismatch")
    assert words in sentence


@pytest.mark.parametrize("country", ["ZZ", "XX", "EU", "UN", "QO", "XA", "Atlantis", "I", "IND"])
def test_what_is_no_country_is_refused_once_and_nothing_follows_from_it(country: str) -> None:
    found = wrong(PostalAddress, ABROAD | {"country": country})

    assert [(place, kind) for place, kind, _ in found] == [("country", "string_pattern_mismatch")]


@pytest.mark.parametrize(
    "change",
    [
        {"phone": "call me"},
        {"phone": "123456"},
        {"phone": "+1 555 0100"},
        {"pincode": "0"},
        {"pincode": 5},
        {"city": "\u200b"},
        {"city": ""},
        {"state": None},
        {"country": "Atlantis"},
        {"fullName": " "},
        {"addressLine1": "a\nb"},
        {"label": "x" * 51},
        {"landmark": "the old tree"},
    ],
)
def test_the_address_book_and_an_order_refuse_the_same_with_the_same_words(
    change: dict[str, Any],
) -> None:
    order = {"paymentMethod": "COD", "shippingAddress": ADDRESS | change}

    in_the_book = wrong(AddressRequest, ADDRESS | change)
    in_an_order = wrong(PlaceOrder, order)

    assert in_an_order == [(f"shippingAddress/{p}", code, text) for p, code, text in in_the_book]


@pytest.mark.parametrize(
    ("phone", "region", "may"),
    [
        ("98123 45678", "IN", True),
        ("(080) 2345-6789", "IN", True),
        ("6123 4567", "SG", True),
        ("+49 30 901820", "IN", True),
        ("123456", "IN", False),
        ("+999 12345678", "IN", False),
        ("+1 555 0100", None, False),
        ("123456", None, True),
    ],
)
def test_a_number_has_as_many_digits_as_its_country_has(
    phone: str, region: str | None, *, may: bool
) -> None:
    assert may_be_called(phone, region) is may

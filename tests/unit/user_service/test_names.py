"""A name stands in mails, on an account as on an address; it leads nobody anywhere."""

import pytest
from pydantic import ValidationError

from common_lib.addresses import PostalAddress
from user_service.schemas.addresses import AddressRequest
from user_service.schemas.users import ProfileRequest, RegisterRequest


def registration(name: str) -> dict[str, str]:
    return {"email": "a@example.com", "password": "password123", "fullName": name}


def address(name: str) -> dict[str, str]:
    return {
        "fullName": name,
        "phone": "+919812345678",
        "addressLine1": "14 Lake View Road",
        "city": "Bengaluru",
        "state": "Karnataka",
        "pincode": "560001",
    }


@pytest.mark.parametrize(
    "name",
    [
        "Visit https://evil.example/win now",
        "evil.example",
        "evil.com.",
        "sub.evil.co.uk win",
        "www.evil",
        "HTTPS://X",
        "http:/evil",
        "hxxp://evil",
        "mailto:x",
        "javascript:alert(1)",
        "write to a@b.co",
        "a (at) b",
        "evil。com",
        "\uff45\uff56\uff49\uff4c\uff0ecom",
        "evil\u2024com",
        "e\u2060vil.\u2060com",
        "evil dot com",
        "evil[.]com",
        "bit.ly/abc",
        "t.me/x",
        "t.me",
        "evil/win.php",
        "böse.beispiel",
        "1.2.3.4",
        "dr.com",
        "(evil.io)",
    ],
)
def test_a_name_with_an_address_in_it_is_refused(name: str) -> None:
    for model, body in (
        (RegisterRequest, registration(name)),
        (ProfileRequest, {"fullName": name}),
        (AddressRequest, address(name)),
        (PostalAddress, address(name)),
    ):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(body)
        [entry] = refused.value.errors()
        assert (entry["loc"], entry["type"]) == (("fullName",), "name_holds_link")


@pytest.mark.parametrize(
    "name",
    [
        "call 9812345678 now",
        "Call +91 98123 45678",
        "98123-45678",
        "9 8 1 2 3 4 5 6",
        "(080) 2345.6789",
    ],
)
def test_a_name_with_a_phone_number_in_it_is_refused(name: str) -> None:
    for model, body in ((RegisterRequest, registration(name)), (PostalAddress, address(name))):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(body)
        [entry] = refused.value.errors()
        assert (entry["loc"], entry["type"]) == (("fullName",), "name_holds_number")


@pytest.mark.parametrize(
    "name",
    [
        "Asha Rao",
        "Dr.Rao",
        "Md.Salim",
        "K.Ramesh",
        "M.K.Stalin",
        "A.P.J.Abdul Kalam",
        "J.R.R. Tolkien",
        "Ph.D. Rao",
        "St.John",
        "Prof.Dr.Müller",
        "Smt.Devi.K",
        "Mary-Jane Watson Jr.",
        "S/O Ramesh",
        "Asha (Bengaluru)",
        "Anna @ Home",
        "Asha...Rao",
        "Dot Cotton",
        "Louis XIV",
        "Agent 007",
        "Louis 14 15",
        "User 1734567890123",
        "zq1234567ab",
        "محمد علی‌خان",
        "李小龍",
    ],
)
def test_names_with_dots_and_signs_stay_names(name: str) -> None:
    assert RegisterRequest.model_validate(registration(name)).full_name == name

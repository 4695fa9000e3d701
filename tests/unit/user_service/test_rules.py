"""Rules of accounts, addresses and requests that need no database."""

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from common_lib.errors import PreconditionFailed
from tests.shopper import ADDRESS
from tests.unit.user_service.makers import user
from user_service.api.deps import caller_address, expected_versions
from user_service.models import IllegalStatusChange
from user_service.schemas.addresses import AddressRequest
from user_service.schemas.enums import UserStatus
from user_service.schemas.users import RegisterRequest
from user_service.settings import Settings


def registration(**changes: Any) -> dict[str, Any]:
    return {"email": "a@example.com", "password": "password123", "fullName": "A"} | changes


@pytest.mark.parametrize("expected", [None, frozenset({3}), frozenset({1, 3})])
def test_the_version_that_was_seen_passes(expected: frozenset[int] | None) -> None:
    user().check_version(expected)


@pytest.mark.parametrize("expected", [frozenset({2}), frozenset(), frozenset({4, 30})])
def test_another_version_does_not_pass(expected: frozenset[int]) -> None:
    with pytest.raises(PreconditionFailed):
        user().check_version(expected)


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, None),
        ("*", None),
        ('"4"', {4}),
        ('"4", "5"', {4, 5}),
        ('W/"4"', set()),
        ("4", set()),
        ("", set()),
        ('"-4"', set()),
        ("\"4'", set()),
    ],
)
def test_if_match_names_versions(header: str | None, versions: set[int] | None) -> None:
    assert expected_versions(header) == versions


@pytest.mark.parametrize(
    ("start", "end", "changes"),
    [
        (UserStatus.ACTIVE, UserStatus.SUSPENDED, True),
        (UserStatus.SUSPENDED, UserStatus.ACTIVE, True),
        (UserStatus.ACTIVE, UserStatus.ACTIVE, False),
    ],
)
def test_an_account_is_suspended_and_reinstated(
    start: UserStatus, end: UserStatus, changes: bool
) -> None:
    account = user(status=start)

    assert account.change_status(end) is changes
    assert account.status is end


def test_a_deleted_account_stays_deleted() -> None:
    with pytest.raises(IllegalStatusChange):
        user(status=UserStatus.DELETED).change_status(UserStatus.ACTIVE)


@pytest.mark.parametrize("pincode", ["560001", "560 001"])
def test_indian_pincodes_have_six_digits(pincode: str) -> None:
    assert AddressRequest.model_validate(ADDRESS | {"pincode": pincode}).pincode == pincode


@pytest.mark.parametrize("pincode", ["056001", "56001", "5600011", "SW1A 1AA"])
def test_other_codes_are_no_indian_pincodes(pincode: str) -> None:
    with pytest.raises(ValidationError):
        AddressRequest.model_validate(ADDRESS | {"pincode": pincode})


def test_other_countries_have_codes_of_their_own() -> None:
    wanted = AddressRequest.model_validate(ADDRESS | {"country": "gb", "pincode": "SW1A 1AA"})

    assert (wanted.country, wanted.pincode) == ("GB", "SW1A 1AA")


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "6.6.6.6", "192.0.2.1"),
        ("10.1.2.3", "6.6.6.6, 5.5.5.5", "5.5.5.5"),
        ("10.1.2.3", "2001:DB8::1", "2001:db8::1"),
        ("10.1.2.3", "garbage", "10.1.2.3"),
        ("10.1.2.3", "6.6.6.6,", "10.1.2.3"),
    ],
)
def test_the_caller_is_who_a_trusted_proxy_says(peer: str, forwarded: str, caller: str) -> None:
    deps = SimpleNamespace(trusted_proxies=[ipaddress.ip_network("10.0.0.0/8")])
    request: Any = SimpleNamespace(
        client=SimpleNamespace(host=peer),
        headers={"x-forwarded-for": forwarded},
        app=SimpleNamespace(state=SimpleNamespace(deps=deps)),
    )

    assert caller_address(request) == caller


def test_the_limits_are_those_of_production_unless_widened() -> None:
    settings = Settings.model_validate({"database_url": "mysql+asyncmy://localhost/users_db"})

    assert (settings.login_limit_per_15min, settings.register_limit_per_hour) == (5, 5)
    assert settings.bcrypt_rounds == 12


@pytest.mark.parametrize(
    "name",
    [
        "आशा राव",
        "അനിൽ‍കുമാർ",
        "محمد علی‌خان",
        "李小龍",
        "Zoë O'Connor-Nuñez",
        "Nguyễn Thị Ánh",
        "X Æ A-12",
        "👩🏽‍🚀",
        "M",
    ],
)
def test_names_of_the_world_are_taken_as_they_are(name: str) -> None:
    assert RegisterRequest.model_validate(registration(fullName=name)).full_name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200b",
        "\u200d\u200c",
        "\u00ad",
        "\u3000",
        "A\x00sha",
        "Asha\nRao",
        "Asha\u2028Rao",
        "Asha\u202eoaR",
        "Asha\u2066Rao",
        "Asha\ufeff",
        "Asha\uffff",
        "A\U000e0041",
        "A" * 121,
    ],
)
def test_a_name_that_hides_something_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        RegisterRequest.model_validate(registration(fullName=name))


@pytest.mark.parametrize(
    "phone", ["+91 98123 45678", "9812345678", "(080) 2345-6789", "+1 (212) 555-0100", "123456"]
)
def test_phone_numbers_are_taken_as_people_write_them(phone: str) -> None:
    assert RegisterRequest.model_validate(registration(phone=phone)).phone == phone


@pytest.mark.parametrize(
    "phone",
    [
        "12345",
        "1" * 21,
        "++919812345678",
        "98123\n45678",
        "1-2-3-4-5-6-7-8-9-0-1-2",
        "981234567x",
        "९८१२३४५६७८",
        "+91--9812345678",
        "<script>",
    ],
)
def test_what_nobody_can_be_called_by_is_refused(phone: str) -> None:
    with pytest.raises(ValidationError):
        RegisterRequest.model_validate(registration(phone=phone))

"""What an account may become, and what is left of one who is gone."""

from datetime import UTC, datetime

import pytest

from common_lib.events.users import DELETED_NAME, dead_address
from tests.unit.user_service.makers import user
from user_service.models import IllegalStatusChange
from user_service.models.users import ALLOWED_MOVES
from user_service.schemas.enums import UserRole, UserStatus

AT = datetime(2099, 1, 1, tzinfo=UTC)


def test_an_account_is_suspended_or_reinstated_and_nothing_else() -> None:
    assert {
        UserStatus.ACTIVE: {UserStatus.SUSPENDED},
        UserStatus.SUSPENDED: {UserStatus.ACTIVE},
        UserStatus.DELETED: set(),
    } == ALLOWED_MOVES


@pytest.mark.parametrize("status", [UserStatus.ACTIVE, UserStatus.SUSPENDED])
def test_an_account_is_never_deleted_by_naming_the_status(status: UserStatus) -> None:
    account = user(status=status)

    with pytest.raises(IllegalStatusChange):
        account.change_status(UserStatus.DELETED)

    assert account.status is status


@pytest.mark.parametrize(("is_verified", "name"), [(True, "A"), (False, "")])
def test_mails_greet_by_name_only_where_the_address_is_known(is_verified: bool, name: str) -> None:
    assert user(email_verified=is_verified).name_in_mails == name


def test_a_change_moves_the_version_and_the_date_and_leaves_living_tokens() -> None:
    account = user(version=3)

    account.touch(AT)

    assert (account.version, account.updated_at) == (4, AT)
    assert account.access_changed_at is None


def test_a_change_of_rights_is_dated_for_living_tokens() -> None:
    account = user(version=3)

    account.change_access(AT)

    assert (account.version, account.updated_at, account.access_changed_at) == (4, AT, AT)


def test_of_one_who_is_gone_the_id_is_left_and_nothing_personal() -> None:
    account = user(
        role=UserRole.ADMIN, email_verified=True, phone="+919812345678", preferences={"a": 1}
    )

    account.anonymise("!", AT)

    assert (account.email, account.email_verified) == (dead_address(account.id), False)
    assert (account.full_name, account.phone, account.preferences) == (DELETED_NAME, None, {})
    assert account.password_hash == "!"
    assert (account.role, account.status) == (UserRole.CUSTOMER, UserStatus.DELETED)
    assert (account.deleted_at, account.access_changed_at, account.version) == (AT, AT, 4)

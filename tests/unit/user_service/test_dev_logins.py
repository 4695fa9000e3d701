"""The development logins that production refuses are those that the seeds make."""

from shop.data.reader import load
from user_service.services.dev_logins import DEV_LOGINS


def test_every_seeded_login_is_known() -> None:
    assert sorted(DEV_LOGINS) == sorted(account.email for account in load().accounts)

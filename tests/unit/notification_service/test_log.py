"""The log's row, its cursor, and the lease."""

from datetime import timedelta
from typing import Any

import pytest

from common_lib.auth import Principal, Role
from common_lib.clock import now
from common_lib.cursors import InvalidCursor
from common_lib.errors import NotFound
from common_lib.ids import UserId, new_id
from notification_service.api import wanted_filter
from notification_service.models import ERROR_LENGTH, NotificationLog
from notification_service.schemas import NotificationStatus
from notification_service.settings import Settings

LEASE = timedelta(seconds=30)


def row(**changes: Any) -> NotificationLog:
    return NotificationLog(**{"status": NotificationStatus.PENDING, "retry_count": 0} | changes)


def caller(role: Role) -> Principal:
    return Principal(UserId(new_id()), role, "session", 0, 0)


def settings(**changes: Any) -> Settings:
    url = "mysql+asyncmy://localhost/notifications_db"
    return Settings.model_validate({"database_url": url} | changes)


def test_a_claim_holds_until_the_lease_is_over() -> None:
    moment, claimed = now(), row()

    claimed.take(new_id(), moment, moment + LEASE)

    assert claimed.is_leased(moment + LEASE / 2)
    assert not claimed.is_leased(moment + LEASE)


def test_a_failed_mail_may_be_claimed_again_at_once() -> None:
    moment, claimed = now(), row()
    claimed.take(new_id(), moment, moment + LEASE)

    claimed.failed(moment, "x" * 999, NotificationStatus.FAILED)

    assert not claimed.is_leased(moment)
    assert (claimed.status, claimed.retry_count) == (NotificationStatus.FAILED, 1)
    assert claimed.last_error == "x" * ERROR_LENGTH


def test_a_sent_mail_forgets_its_earlier_failure() -> None:
    moment, claimed = now(), row(last_error="ses was away", retry_count=2)

    claimed.sent(moment, "message-1")

    assert claimed.status is NotificationStatus.SENT
    assert (claimed.sent_at, claimed.last_error, claimed.retry_count) == (moment, None, 2)


@pytest.mark.parametrize("visibility_s", [5, 60, 300])
def test_a_lease_outlives_a_call_to_ses(visibility_s: int) -> None:
    own = settings(consumer_visibility_s=visibility_s)

    assert own.mail_lease_s > own.mail_timeout_s + 2


def test_a_lease_is_over_when_a_dead_workers_message_comes_again() -> None:
    own = settings()

    assert own.mail_lease_s < own.consumer_visibility_s


def test_a_customer_sees_the_own_notifications_only() -> None:
    customer = caller(Role.CUSTOMER)

    assert wanted_filter(principal=customer).user_id == customer.user_id
    with pytest.raises(NotFound):
        wanted_filter(principal=customer, user_id=new_id())


def test_an_administrator_sees_all_or_anyones() -> None:
    admin, somebody = caller(Role.ADMIN), new_id()

    assert wanted_filter(principal=admin).user_id is None
    assert wanted_filter(principal=admin, user_id=somebody).user_id == somebody


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "a" * 22 + "!", "'; DROP TABLE", "é" * 22])
def test_a_cursor_that_was_not_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        wanted_filter(principal=caller(Role.ADMIN), cursor=cursor)

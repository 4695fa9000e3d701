"""Which events count as arrived, held against the consumers themselves; and how times are read."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import catalog_service.consumers as catalog
import order_service.consumers as order
from common_lib.clock import now
from notification_service.services import mails
from shop.replay.command import moment_of
from shop.replay.traces import IN_CATALOG, IN_ORDER, NEVER_MAILED
from shop.stack.errors import StackError


def test_an_event_that_is_mailed_has_arrived_only_with_its_mail() -> None:
    """A new mail about one of these: take its event out of NEVER_MAILED."""
    assert not {kind.event_type for kind in mails.KINDS} & NEVER_MAILED


def test_what_the_catalog_handles_has_arrived_only_when_it_is_in_its_inbox() -> None:
    assert {kind.event_type for kind in catalog.HANDLED} == IN_CATALOG


def test_what_the_order_service_handles_has_arrived_only_when_it_is_in_its_inbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, Any] = {}

    def spy(_database: object, queue: str, handlers: Mapping[Any, Any]) -> None:
        seen[queue] = {kind.event_type for kind in handlers}

    monkeypatch.setattr(order, "with_inbox", spy)
    order.cart_events(None, None)  # type: ignore[arg-type]
    assert seen == {"order-queue": IN_ORDER}


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("45m", timedelta(minutes=45)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_span_is_counted_back_from_now(text: str, span: timedelta) -> None:
    assert abs(now() - span - moment_of(text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["2026-11-30T18:00:00Z", "2026-11-30T18:00:00", "2026-11-30 18:00"]
)
def test_a_time_without_a_zone_is_utc(text: str) -> None:
    assert moment_of(text) == datetime(2026, 11, 30, 18, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-2h", "9999999999d", "2026-13-01"])
def test_what_is_no_time_is_told_in_one_line(text: str) -> None:
    with pytest.raises(StackError, match="is no time"):
        moment_of(text)

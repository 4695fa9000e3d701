"""Ids, events, idempotency keys, trace context: the words everything else is written in."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from common_lib import clock
from common_lib.errors import Rejected
from common_lib.events import Envelope, InvalidEvent, event_from, parse_envelope
from common_lib.events.users import UserRegistered
from common_lib.idempotency import (
    IdempotencyKeyConflict,
    IdempotencyKeyRequired,
    fingerprint,
    key_from,
)
from common_lib.ids import created_at, new_id
from common_lib.telemetry import parse_traceparent


def test_an_id_carries_its_moment() -> None:
    assert abs(created_at(new_id()) - clock.now()) < timedelta(seconds=1)


def test_ids_of_one_process_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]

    assert sorted(ids) == ids


def test_times_are_written_in_utc_with_a_z() -> None:
    assert clock.rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000Z"


def registered() -> UserRegistered:
    return UserRegistered(user_id=new_id(), email="a@b.example", full_name="A")


def test_an_event_survives_its_journey() -> None:
    event = registered()
    envelope = Envelope.wrap(event, source="user-service")

    assert event_from(parse_envelope(envelope.model_dump_json(by_alias=True))) == event


def test_each_envelope_has_an_id_of_its_own() -> None:
    event = registered()

    first, second = (Envelope.wrap(event, source="user-service") for _ in range(2))

    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    "change", [{"eventType": "NO_SUCH_EVENT"}, {"version": 99}, {"data": {"userId": "x"}}]
)
def test_an_unknown_type_version_or_body_is_invalid(change: dict[str, object]) -> None:
    envelope = Envelope.wrap(registered(), source="user-service")
    altered = Envelope.model_validate(envelope.model_dump(by_alias=True) | change)

    with pytest.raises(InvalidEvent):
        event_from(altered)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"eventId": 1}'])
def test_a_body_that_is_no_envelope_is_invalid(body: str) -> None:
    with pytest.raises(InvalidEvent):
        parse_envelope(body)


USER = UUID(int=1)


@pytest.mark.parametrize("value", [2**53 + 1, "\ud800"])
def test_what_has_no_canonical_form_is_refused_and_not_a_crash(value: object) -> None:
    with pytest.raises(Rejected):
        fingerprint(USER, "orders", {"a": value})


def test_the_fingerprint_ignores_the_order_of_members() -> None:
    first = fingerprint(USER, "orders", {"a": 1, "b": 2})

    assert first == fingerprint(USER, "orders", {"b": 2, "a": 1})


@pytest.mark.parametrize(
    "other",
    [(UUID(int=2), "orders", {"a": 1}), (USER, "payments", {"a": 1}), (USER, "orders", {"a": 2})],
)
def test_the_fingerprint_tells_users_routes_and_bodies_apart(
    other: tuple[UUID, str, dict[str, int]],
) -> None:
    assert fingerprint(USER, "orders", {"a": 1}) != fingerprint(*other)


def test_the_key_may_come_in_the_header_or_the_body() -> None:
    assert key_from("abc-123", None) == key_from(None, "abc-123") == key_from("abc-123", "abc-123")


def test_a_missing_key_is_asked_for() -> None:
    with pytest.raises(IdempotencyKeyRequired):
        key_from(None, None)


def test_two_different_keys_are_a_conflict() -> None:
    with pytest.raises(IdempotencyKeyConflict):
        key_from("abc", "def")


@pytest.mark.parametrize("key", ["x" * 256, "naïve", "two\nlines"])
def test_an_unprintable_or_endless_key_is_refused(key: str) -> None:
    with pytest.raises(Rejected):
        key_from(key, None)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_traceparent_is_read_and_written_back() -> None:
    context = parse_traceparent(TRACE)

    assert context is not None
    assert context.is_sampled
    assert context.traceparent == TRACE


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        TRACE.upper().replace("00-", "00-", 1),
        TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        TRACE.replace("00f067aa0ba902b7", "0" * 16),
        "ff" + TRACE[2:],
        TRACE.replace("-01", "-zz"),
    ],
)
def test_a_malformed_traceparent_counts_as_absent(value: str) -> None:
    assert parse_traceparent(value) is None


@pytest.mark.parametrize("value", [f"{TRACE}-more", f"zz{TRACE[2:]}", f"{TRACE}\n", f" {TRACE}"])
def test_a_traceparent_with_more_or_other_than_its_version_has_counts_as_absent(value: str) -> None:
    assert parse_traceparent(value) is None


def test_a_traceparent_of_a_later_version_is_read() -> None:
    assert parse_traceparent(f"01{TRACE[2:]}-more") == parse_traceparent(TRACE)

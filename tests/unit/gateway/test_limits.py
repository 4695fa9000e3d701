"""The rule of the limiter over what one process remembers, and how a limit changes."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import WINDOW_S, Limiter, LocalLimiter, Policy, Subject
from gateway.redis_pipe import pack

START = 1000.0
PAUSES = st.floats(0, 80) | st.sampled_from([0.0, 0.001, 59.999, 60.0, 60.001])


def somebody(limit: int, key: str = "u:1") -> Subject:
    return Subject(key, Policy("default", limit))


@given(st.lists(st.tuples(PAUSES, st.integers(1, 8)), max_size=60))
def test_it_admits_what_the_oracle_admits(calls: list[tuple[float, int]]) -> None:
    limiter, subject = LocalLimiter(), somebody(1)
    admitted: list[float] = []
    now = START
    for pause, limit in calls:
        now += pause
        subject.policy.limit = limit
        recent = [moment for moment in admitted if now - moment <= WINDOW_S]

        verdict = limiter.check([subject], now)

        assert verdict.is_admitted is (len(recent) < limit)
        if verdict.is_admitted:
            admitted.append(now)
            recent.append(now)
        assert verdict.counts[0].remaining == max(0, limit - len(recent))
        assert not verdict.is_shared


@given(
    limits=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    calls=st.lists(st.tuples(PAUSES, st.sampled_from(["both", "first", "second"])), max_size=50),
)
def test_under_two_policies_a_request_needs_room_in_both(
    limits: tuple[int, int], calls: list[tuple[float, str]]
) -> None:
    limiter = LocalLimiter()
    first, second = somebody(limits[0], "login:1"), somebody(limits[1], "default:1")
    asked = {"both": [first, second], "first": [first], "second": [second]}
    admitted: dict[str, list[float]] = {first.key: [], second.key: []}
    now = START
    for pause, choice in calls:
        now += pause
        subjects = asked[choice]
        used = [sum(now - at <= WINDOW_S for at in admitted[who.key]) for who in subjects]

        verdict = limiter.check(subjects, now)

        has_room = [count < who.policy.limit for count, who in zip(used, subjects, strict=True)]
        assert verdict.is_admitted is all(has_room)
        if verdict.is_admitted:
            for who in subjects:
                admitted[who.key].append(now)


def test_retrying_after_the_time_given_is_admitted_and_not_earlier() -> None:
    limiter, subject = LocalLimiter(), somebody(3)
    for step in range(3):
        limiter.check([subject], START + 7 * step)
    now = START + 21
    free_at = now + limiter.check([subject], now).retry_after_s

    assert not limiter.check([subject], free_at - 0.01).is_admitted
    assert limiter.check([subject], free_at + 0.01).is_admitted


def test_callers_are_counted_apart() -> None:
    limiter = LocalLimiter()

    assert limiter.check([somebody(1, "u:1")], START).is_admitted
    assert limiter.check([somebody(1, "u:2")], START).is_admitted
    assert not limiter.check([somebody(1, "u:1")], START).is_admitted


def test_a_request_taken_back_makes_room() -> None:
    limiter, subject = LocalLimiter(), somebody(1)
    limiter.check([subject], START)

    limiter.withdraw([subject], START)

    assert limiter.check([subject], START + 1).is_admitted


def test_the_idle_are_forgotten_and_the_busy_are_not() -> None:
    limiter = LocalLimiter()
    for number in range(100):
        limiter.check([somebody(1, f"idle:{number}")], START)
    later = START + WINDOW_S + 1
    limiter.check([somebody(1, "busy")], later)
    for number in range(100):
        limiter.check([somebody(1, f"new:{number}")], later)

    assert len(limiter._rings) == 101
    assert not limiter.check([somebody(1, "busy")], later + 1).is_admitted


class Pipe:
    """Stands in for the connection to Redis and remembers what is sent."""

    sha = "0" * 40
    on_change: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.reply: Sequence[object] | None = [1, None, None, 4, 60_000_000]

    async def send(self, command: bytes) -> Sequence[object] | None:
        self.sent.append(command)
        return self.reply


def limiter_on(pipe: Pipe, clock: Callable[[], float] = lambda: START) -> Limiter:
    policies = [Policy("default", 5), Policy("login", 2)]
    return Limiter(pipe, policies, clock)  # type: ignore[arg-type]


async def test_a_changed_limit_is_sent_from_the_next_request_on() -> None:
    pipe = Pipe()
    limiter = limiter_on(pipe)
    subject = limiter.subject("u:1", "default", ("session:1", "user:1:role"))
    await limiter.check(subject)

    limiter.set_limit("default", 3)
    verdict = await limiter.check(subject)

    keys = (3, "rate:u:1", "session:1", "user:1:role")
    assert pipe.sent == [
        pack("EVALSHA", pipe.sha, *keys, 5, 60_000_000),
        pack("EVALSHA", pipe.sha, *keys, 3, 60_000_000),
    ]
    assert verdict.counts[0].limit == 3


async def test_two_policies_and_revocation_are_one_command() -> None:
    pipe = Pipe()
    pipe.reply = [1, b"live", None, 1, 60_000_000, 4, 60_000_000]
    limiter = limiter_on(pipe)
    subject = limiter.subject("u:1", "default", ("session:1", "user:1:role"))

    verdict = await limiter.check(subject, limiter.subject("login:1", "login"))

    keys = (4, "rate:login:1", "rate:u:1", "session:1", "user:1:role")
    assert pipe.sent == [pack("EVALSHA", pipe.sha, *keys, 2, 60_000_000, 5, 60_000_000)]
    assert [count.policy for count in verdict.counts] == ["login", "default"]
    assert (verdict.session, verdict.role) == (b"live", None)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nobody_in_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        limiter_on(Pipe()).set_limit("default", limit)


def test_a_limit_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        limiter_on(Pipe()).set_limit("speed", 5)


async def test_what_redis_let_in_counts_when_it_goes_away() -> None:
    pipe = Pipe()
    limiter = limiter_on(pipe)
    subject = limiter.subject("u:1", "default")
    shared = [(await limiter.check(subject)).is_admitted for _ in range(3)]

    pipe.reply = None
    alone = [(await limiter.check(subject)).is_admitted for _ in range(4)]

    assert shared == [True] * 3
    assert alone == [True, True, False, False]


async def test_a_redis_that_comes_back_empty_lets_nobody_start_anew() -> None:
    pipe, now = Pipe(), START
    limiter = limiter_on(pipe, lambda: now)
    subject = limiter.subject("u:1", "default")
    for _ in range(5):
        await limiter.check(subject)

    pipe.on_change()
    at_once = (await limiter.check(subject)).is_admitted
    now += WINDOW_S + 0.001
    later = (await limiter.check(subject)).is_admitted

    assert not at_once
    assert later


async def test_after_a_minute_with_redis_its_word_alone_counts() -> None:
    pipe, now = Pipe(), START
    limiter = limiter_on(pipe, lambda: now)
    subject = limiter.subject("u:1", "default")
    limiter._doubt()
    now += WINDOW_S + 1

    verdicts = [await limiter.check(subject) for _ in range(7)]

    assert all(verdict.is_admitted and verdict.is_shared for verdict in verdicts)


async def test_the_first_connection_of_a_process_leaves_the_word_to_redis() -> None:
    pipe = Pipe()
    limiter = limiter_on(pipe)
    subject = limiter.subject("u:1", "default")
    pipe.on_change()

    verdicts = [await limiter.check(subject) for _ in range(7)]

    assert all(verdict.is_admitted for verdict in verdicts)

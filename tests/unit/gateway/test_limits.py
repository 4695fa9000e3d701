"""The rule of the limiter over what one process remembers, and how a limit changes."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import LIMITED, WINDOW_S, Limiter, LocalLimiter, Policy, Subject
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


async def test_what_redis_says_of_a_place_is_passed_on_in_seconds() -> None:
    pipe = Pipe()
    pipe.reply = [0, None, None, 0, 1_500_000]
    limiter = limiter_on(pipe)

    verdict = await limiter.check(limiter.subject("u:1", "default"))

    assert not verdict.is_admitted
    assert verdict.counts[0] == ("default", 5, 0, 1.5)
    assert verdict.retry_after_s == 1.5


def test_a_caller_who_was_never_let_in_has_a_place_at_once() -> None:
    limiter, subject, other = LocalLimiter(), somebody(1), somebody(1, "u:2")
    limiter.check([other], START)

    verdict = limiter.check([subject, other], START)

    assert not verdict.is_admitted
    assert verdict.counts[0].free_in_s == 0.0


def test_a_lowered_limit_frees_a_place_when_enough_have_left() -> None:
    limiter, subject = LocalLimiter(), somebody(4)
    for step in range(4):
        limiter.check([subject], START + step)
    subject.policy.limit = 2

    verdict = limiter.check([subject], START + 4)

    assert verdict.retry_after_s == WINDOW_S - 2


def test_the_smallest_limit_lets_one_in() -> None:
    limiter = limiter_on(Pipe())
    limiter.set_limit("default", 1)

    assert limiter.policies["default"].limit == 1


@pytest.mark.parametrize(("limit", "remembered"), [(10_000, 1), (10_001, 0)])
async def test_only_limits_of_an_account_are_remembered(limit: int, remembered: int) -> None:
    limiter = limiter_on(Pipe())
    limiter.set_limit("default", limit)

    await limiter.check(limiter.subject("u:1", "default"))

    assert len(limiter._local._rings) == remembered


async def test_what_is_remembered_of_a_steady_caller_does_not_grow() -> None:
    pipe, now = Pipe(), START
    limiter = limiter_on(pipe, lambda: now)
    subject = limiter.subject("u:1", "default")

    for _ in range(10):
        await limiter.check(subject)
        now += WINDOW_S

    # Those of a minute ago and of now.
    assert len(limiter._local._rings["u:1"]) == 2


def test_who_has_just_been_busy_is_dropped_last() -> None:
    limiter, busy = LocalLimiter(), somebody(9, "busy")
    limiter.check([busy], START)
    limiter.check([somebody(1, "idle")], START)
    later = START + WINDOW_S
    limiter.check([busy], later)

    limiter.check([somebody(1, "new")], later + 1)

    assert list(limiter._rings) == ["busy", "new"]


def test_at_most_two_are_dropped_for_one_who_comes() -> None:
    limiter = LocalLimiter()
    for number in range(5):
        limiter.check([somebody(1, f"idle:{number}")], START)

    limiter.check([somebody(1, "new")], START + WINDOW_S + 1)

    assert list(limiter._rings) == ["idle:2", "idle:3", "idle:4", "new"]


def test_one_who_was_there_a_whole_window_ago_is_not_idle_yet() -> None:
    limiter = LocalLimiter()
    limiter.check([somebody(1)], START)

    limiter.check([somebody(1, "u:2")], START + WINDOW_S)

    assert list(limiter._rings) == ["u:1", "u:2"]


def test_no_more_callers_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.limits._MAX_LOCAL_KEYS", 3)
    limiter = LocalLimiter()

    for number in range(5):
        limiter.check([somebody(1, f"u:{number}")], START)
        assert len(limiter._rings) <= 3

    assert "u:4" in limiter._rings


async def doubting(pipe: Pipe, now: Callable[[], float] = lambda: START) -> Limiter:
    """Return a limiter that has let one request in, and does not trust Redis any more."""
    limiter = limiter_on(pipe, now)
    await limiter.check(limiter.subject("u:1", "default"))
    pipe.on_change()
    return limiter


async def test_what_redis_refuses_while_it_is_doubted_is_not_held_against_the_caller() -> None:
    pipe = Pipe()
    limiter = await doubting(pipe)
    subject = limiter.subject("u:1", "default")
    pipe.reply = [0, None, None, 0, 60_000_000]
    refused = [(await limiter.check(subject)).is_admitted for _ in range(3)]

    pipe.reply = [1, None, None, 4, 60_000_000]
    verdicts = [(await limiter.check(subject)).is_admitted for _ in range(5)]

    assert refused == [False] * 3
    assert verdicts == [True] * 4 + [False]


async def test_what_redis_lets_in_while_it_is_doubted_counts() -> None:
    pipe = Pipe()
    limiter = await doubting(pipe)
    subject = limiter.subject("u:1", "default")

    verdicts = [await limiter.check(subject) for _ in range(5)]

    assert [verdict.is_admitted for verdict in verdicts] == [True] * 4 + [False]
    # Known to be over the limit, so nothing hangs on what Redis would have said.
    assert all(verdict.is_shared for verdict in verdicts)
    assert len(pipe.sent) == 5


@pytest.mark.parametrize("silent_first", [False, True])
async def test_a_silent_redis_is_doubted_for_a_window_from_then_on(*, silent_first: bool) -> None:
    pipe, now = Pipe(), START
    limiter = limiter_on(pipe, lambda: now)
    subject = limiter.subject("u:1", "default")
    if not silent_first:
        limiter = await doubting(pipe, lambda: now)
    pipe.reply = None
    now += 1
    assert not (await limiter.check(subject)).is_shared
    for _ in range(5):
        await limiter.check(subject)

    pipe.reply = [1, None, None, 4, 60_000_000]
    now += WINDOW_S - 0.001

    # The one from before the doubt has left; those let in since then count.
    verdicts = [(await limiter.check(subject)).is_admitted for _ in range(2)]
    assert verdicts == [not silent_first, False]


async def test_the_smallest_limit_is_sent_as_any_other() -> None:
    pipe = Pipe()
    limiter = limiter_on(pipe)
    limiter.set_limit("default", 1)

    await limiter.check(limiter.subject("u:1", "default"))

    assert pipe.sent == [pack("EVALSHA", pipe.sha, 1, "rate:u:1", 1, 60_000_000)]


async def test_a_refusal_is_counted_by_who_refused() -> None:
    pipe = Pipe()
    limiter = limiter_on(pipe)
    before = refusals()
    pipe.reply = [0, None, None, 0, 60_000_000]
    assert not (await limiter.check(limiter.subject("u:1", "login"))).is_admitted
    by_redis = refusals()

    pipe.reply = [1, None, None, 0, 60_000_000]
    for _ in range(2):
        await limiter.check(limiter.subject("u:2", "login"))
    pipe.reply = None
    alone = [(await limiter.check(limiter.subject("u:2", "login"))).is_admitted for _ in range(2)]

    assert alone == [False, False]
    assert by_redis == {**before, "redis": before["redis"] + 1}
    assert refusals() == {**by_redis, "process": by_redis["process"] + 2}


def refusals() -> dict[str, float]:
    return {
        sample.labels["by"]: sample.value
        for metric in LIMITED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import WINDOW_S, LocalLimiter


class Watch:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    limit=st.integers(1, 8),
    pauses=st.lists(
        st.floats(0, 80) | st.sampled_from([0.0, 0.001, 59.999, 60.0, 60.001]), max_size=60
    ),
)
def test_it_admits_what_the_oracle_admits(limit: int, pauses: list[float]) -> None:
    watch = Watch()
    limiter = LocalLimiter(watch)
    admitted: list[float] = []

    for pause in pauses:
        watch.now += pause
        recent = [moment for moment in admitted if watch.now - moment <= WINDOW_S]
        verdict = limiter.check("u:1", limit)

        assert verdict.is_admitted is (len(recent) < limit)
        if verdict.is_admitted:
            admitted.append(watch.now)
            recent.append(watch.now)
        assert verdict.remaining == limit - len(recent)
        assert not verdict.is_shared


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 40))
def test_a_changed_limit_holds_at_once(first: int, second: int, calls: int) -> None:
    watch = Watch()
    limiter = LocalLimiter(watch)
    used = sum(limiter.check("u:1", first).is_admitted for _ in range(calls))

    verdict = limiter.check("u:1", second)

    assert verdict.is_admitted is (used < second)


def test_retrying_after_the_time_given_is_admitted_and_not_earlier() -> None:
    watch = Watch()
    limiter = LocalLimiter(watch)
    for _ in range(3):
        limiter.check("u:1", 3)
        watch.now += 7
    refused = limiter.check("u:1", 3)

    watch.now += refused.free_in_s - 0.01
    assert not limiter.check("u:1", 3).is_admitted
    watch.now += 0.02
    assert limiter.check("u:1", 3).is_admitted


def test_callers_are_counted_apart() -> None:
    limiter = LocalLimiter(Watch())

    assert limiter.check("u:1", 1).is_admitted
    assert limiter.check("u:2", 1).is_admitted
    assert not limiter.check("u:1", 1).is_admitted

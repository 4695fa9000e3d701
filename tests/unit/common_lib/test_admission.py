"""The limit of each kind of work follows what the answers take, and refuses what does not fit."""

import pytest

from common_lib.admission import BOUNDS, Bounds, Kind, Limiter, Overloaded, kind_of

WIDE = Bounds(promised_s=1.0, start=10, least=2, most=12)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter_of(clock: Clock, bounds: Bounds = WIDE) -> Limiter:
    return Limiter("test", bounds, clock)


def fill(limiter: Limiter) -> list[float]:
    """Take every place there is."""
    places = []
    while not limiter.is_full():
        places.append(limiter.enter())
    return places


def round_of(limiter: Limiter, clock: Clock, took_s: float) -> None:
    """Take every place and give all back after so long."""
    places = fill(limiter)
    clock.now += took_s
    for entered_at in places:
        limiter.leave(entered_at)


def test_what_does_not_fit_is_refused_at_once_and_told_when_to_come_back(clock: Clock) -> None:
    limiter = limiter_of(clock)
    assert len(fill(limiter)) == WIDE.start

    with pytest.raises(Overloaded) as refused:
        limiter.enter()

    assert refused.value.retry_after_s == 1
    assert limiter.in_flight == WIDE.start


def test_a_place_given_back_is_taken_again(clock: Clock) -> None:
    limiter = limiter_of(clock)
    places = fill(limiter)

    limiter.leave(places[0])

    assert len(fill(limiter)) == 1


def test_answers_in_time_let_the_limit_grow_to_its_most(clock: Clock) -> None:
    limiter = limiter_of(clock)

    for _ in range(100):
        round_of(limiter, clock, took_s=0.1)

    assert int(limiter.limit) == WIDE.most


def test_a_round_of_answers_in_time_adds_one(clock: Clock) -> None:
    limiter = limiter_of(clock)

    round_of(limiter, clock, took_s=0.1)

    # Those who leave a room that is half empty by then are no crowd.
    assert 0.4 < limiter.limit - WIDE.start <= 1


@pytest.mark.parametrize(("took_s", "left"), [(1.01, 9.0), (1.25, 8.0), (2, 5.0), (60, 5.0)])
def test_a_round_of_late_answers_shrinks_the_limit_by_as_much_as_they_were_late(
    clock: Clock, took_s: float, left: float
) -> None:
    limiter = limiter_of(clock)

    round_of(limiter, clock, took_s=took_s)

    assert limiter.limit == pytest.approx(left)


def test_a_round_that_comes_in_later_and_later_shrinks_the_limit_by_half_at_most(
    clock: Clock,
) -> None:
    limiter = limiter_of(clock)
    seen: list[float] = []

    for entered_at in fill(limiter)[:5]:
        clock.now += 1.2
        limiter.leave(entered_at)
        seen.append(limiter.limit)

    assert seen == [pytest.approx(10 / 1.2), pytest.approx(5), 5, 5, 5]


def test_who_entered_after_it_shrank_may_shrink_it_again(clock: Clock) -> None:
    limiter = limiter_of(clock)

    round_of(limiter, clock, took_s=1.25)
    round_of(limiter, clock, took_s=1.25)

    assert limiter.limit == pytest.approx(6.4)


def test_a_limit_that_is_far_too_wide_is_found_in_one_step(clock: Clock) -> None:
    """Twenty a second are done; when the first is late, twenty are waiting: not a thousand."""
    limiter = limiter_of(clock, Bounds(promised_s=1.0, start=1000, least=2, most=1000))
    places = [limiter.enter() for _ in range(20)]
    clock.now += 1.05

    limiter.leave(places[0])

    assert limiter.limit == pytest.approx(18)


def test_a_late_answer_without_a_crowd_is_not_the_limits_fault(clock: Clock) -> None:
    limiter = limiter_of(clock)
    entered_at = limiter.enter()
    clock.now += 60

    limiter.leave(entered_at)

    assert limiter.limit == WIDE.start


def test_the_limit_stops_shrinking_near_its_least(clock: Clock) -> None:
    limiter = limiter_of(clock)

    for _ in range(100):
        round_of(limiter, clock, took_s=9)

    assert WIDE.least <= limiter.limit < 2 * WIDE.least


def test_the_limit_comes_back_after_a_bad_time(clock: Clock) -> None:
    limiter = limiter_of(clock)
    for _ in range(20):
        round_of(limiter, clock, took_s=9)

    for _ in range(100):
        round_of(limiter, clock, took_s=0.1)

    assert int(limiter.limit) == WIDE.most


def test_it_settles_where_the_slowest_answers_take_what_was_promised(clock: Clock) -> None:
    """A machine that does 20 a second: by Little's law 20 at once take a second."""
    limiter = limiter_of(clock, Bounds(promised_s=1.0, start=64, least=2, most=512))

    for _ in range(200):
        round_of(limiter, clock, took_s=int(limiter.limit) / 20)

    assert 16 <= limiter.limit <= 22


def test_answers_without_a_crowd_do_not_let_the_limit_grow(clock: Clock) -> None:
    limiter = limiter_of(clock)

    for _ in range(100):
        entered_at = limiter.enter()
        clock.now += 0.01
        limiter.leave(entered_at)

    assert limiter.limit == WIDE.start


def test_a_refusal_further_on_shrinks_the_limit_however_quick_it_was(clock: Clock) -> None:
    limiter = limiter_of(clock)
    places = fill(limiter)

    limiter.leave(places[0], was_refused=True)

    assert limiter.limit == pytest.approx(9.0)


def test_a_client_that_left_teaches_nothing_and_frees_its_place(clock: Clock) -> None:
    limiter = limiter_of(clock)
    fill(limiter)
    clock.now += 60

    limiter.abandon()

    assert (limiter.limit, limiter.in_flight) == (WIDE.start, WIDE.start - 1)


def test_what_was_learnt_is_forgotten_after_a_rest(clock: Clock) -> None:
    limiter = limiter_of(clock)
    for _ in range(100):
        round_of(limiter, clock, took_s=9)

    clock.now += 11

    assert not limiter.is_full()
    assert len(fill(limiter)) == WIDE.start


def test_a_lone_answer_that_takes_long_is_no_rest(clock: Clock) -> None:
    limiter = limiter_of(clock)
    for _ in range(100):
        round_of(limiter, clock, took_s=9)
    fill(limiter)

    clock.now += 11

    assert limiter.is_full()


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/api/products/1", Kind.READ),
        ("HEAD", "/api/orders", Kind.READ),
        ("POST", "/api/orders", Kind.ORDER),
        ("GET", "/api/orders", Kind.READ),
        ("POST", "/api/orders/1/cancel", Kind.CHANGE),
        ("POST", "/api/orders/1/payments", Kind.PAYMENT),
        ("GET", "/api/orders/1/payments", Kind.READ),
        ("POST", "/api/cart/1", Kind.CHANGE),
        ("PUT", "/api/users/1", Kind.CHANGE),
        ("POST", "/api/users", Kind.LOGIN),
        ("POST", "/api/auth/login", Kind.LOGIN),
        ("POST", "/api/auth/mfa/challenge", Kind.LOGIN),
        ("POST", "/api/auth/refresh", Kind.CHANGE),
        ("GET", "/api/admin/overview", Kind.ADMIN),
        ("POST", "/api/imports", Kind.ADMIN),
        ("POST", "/api/webhooks/payments/sandbox", Kind.WEBHOOK),
        ("POST", "/internal/inventory/reserve", Kind.INTERNAL),
        ("GET", "/internal/sellers/by-user/1", Kind.INTERNAL),
    ],
)
def test_every_request_is_of_one_kind(method: str, path: str, kind: Kind) -> None:
    assert kind_of(method, path) is kind


def test_what_was_begun_elsewhere_is_taken_before_anything_new() -> None:
    new = [bounds for kind, bounds in BOUNDS.items() if kind is not Kind.INTERNAL]

    assert BOUNDS[Kind.INTERNAL].least >= max(bounds.most for bounds in new)


def test_bounds_are_in_order() -> None:
    assert set(BOUNDS) == set(Kind)
    assert all(0 < b.least <= b.start <= b.most for b in BOUNDS.values())

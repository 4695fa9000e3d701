"""The circuit breaker opens, rests, and lets exactly one probe through."""

import time

import pytest

from common_lib.http_client import BreakerState, CircuitBreaker, CircuitOpen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


def opened() -> CircuitBreaker:
    breaker = CircuitBreaker("catalog", threshold=3, rest_s=2)
    for _ in range(3):
        breaker.failed()
    return breaker


def test_it_stays_closed_below_the_threshold() -> None:
    breaker = CircuitBreaker("catalog", threshold=3)
    breaker.failed()
    breaker.failed()

    breaker.admit()

    assert breaker.state is BreakerState.CLOSED


def test_a_success_forgets_the_failures_before_it() -> None:
    breaker = CircuitBreaker("catalog", threshold=2)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()

    assert breaker.state is BreakerState.CLOSED


def test_an_open_circuit_fails_fast() -> None:
    with pytest.raises(CircuitOpen):
        opened().admit()


def test_one_probe_of_twenty_gets_through(clock: list[float]) -> None:
    breaker = opened()
    clock[0] += 2
    admitted = 0
    for _ in range(20):
        try:
            breaker.admit()
        except CircuitOpen:
            continue
        admitted += 1

    assert admitted == 1


def test_a_good_probe_closes_and_a_bad_one_opens_again(clock: list[float]) -> None:
    breaker = opened()
    clock[0] += 2
    breaker.admit()
    breaker.failed()
    after_bad = breaker.state

    clock[0] += 2
    breaker.admit()
    breaker.succeeded()

    assert (after_bad, breaker.state) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_a_probe_that_never_reports_back_is_replaced(clock: list[float]) -> None:
    breaker = opened()
    clock[0] += 2
    breaker.admit()
    clock[0] += 2

    breaker.admit()

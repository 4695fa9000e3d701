"""How much work is taken at once: per kind of work, found out rather than guessed.

What is taken beyond what can be done in time is not done sooner, only later, and in the end for
nobody. So each kind of work has a limit of its own that follows what the answers take (ADR 0036):
it grows by one for each full round of answers in time. When one of a crowd comes later than
promised it shrinks to less than that crowd, by as much as the answer was late, a half at most for
each round (additive increase, multiplicative decrease: Chiu and Jain, 1989; RFC 5681, section 3.1).
By Little's law it then stands where the slowest answers take about as long as promised, however
fast the machine is. What does not fit is refused at once. It starts wide: a crowd that comes once
and is done with in seconds is served; one that keeps coming finds the limit within the promise.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge

from common_lib.errors import Unavailable

LIMIT = Gauge("admission_limit", "Requests of a kind of work that are taken at once", ["kind"])
IN_WORK = Gauge("admission_in_flight", "Requests of a kind of work that were taken", ["kind"])
REFUSED = Counter("admission_refused_total", "Requests refused because of the limit", ["kind"])

_LEAST_SHRINK: Final = 0.9
_MOST_SHRINK: Final = 0.5
# After so long without work what was learnt is old: the next crowd finds the limit of the start.
_FORGET_AFTER_S: Final = 10.0
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Overloaded(Unavailable):
    code = "overloaded"
    title = "Too many requests are in flight"


class Kind(StrEnum):
    """Kinds of work: none takes the places of another."""

    READ = "reads"
    CHANGE = "changes"
    ORDER = "orders"
    PAYMENT = "payments"
    LOGIN = "logins"
    ADMIN = "admin"
    WEBHOOK = "webhooks"
    # What a service asks on behalf of work that was taken already.
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an answer may take, where a limit starts, and between what it moves."""

    promised_s: float
    start: int
    least: int
    most: int


# A login's password takes two threads a quarter of a second; a report may take its time.
BOUNDS: Final[Mapping[Kind, Bounds]] = {
    Kind.READ: Bounds(promised_s=1.0, start=1024, least=64, most=1024),
    Kind.CHANGE: Bounds(promised_s=1.0, start=512, least=16, most=512),
    Kind.ORDER: Bounds(promised_s=0.7, start=1024, least=8, most=1024),
    # Ends what was begun by an order, and waits for the provider: carts do not take its places.
    Kind.PAYMENT: Bounds(promised_s=3.0, start=512, least=32, most=512),
    Kind.LOGIN: Bounds(promised_s=1.5, start=64, least=8, most=64),
    Kind.ADMIN: Bounds(promised_s=2.0, start=64, least=8, most=64),
    Kind.WEBHOOK: Bounds(promised_s=1.0, start=256, least=16, most=256),
    # Never below what its callers take themselves: what was begun is finished before new work.
    Kind.INTERNAL: Bounds(promised_s=1.0, start=2048, least=2048, most=2048),
}
# A service promises more time than the gateway before it: so it is the gateway that refuses, which
# takes milliseconds, as long as it is the only one and knows what it sends.
_MORE_TIME: Final = 1.5
BOUNDS_BEHIND: Final[Mapping[Kind, Bounds]] = {
    kind: replace(bounds, promised_s=bounds.promised_s * _MORE_TIME)
    for kind, bounds in BOUNDS.items()
}
_POSTED: Final[Mapping[str, Kind]] = {
    "/api/orders": Kind.ORDER,
    "/api/users": Kind.LOGIN,
    "/api/auth/login": Kind.LOGIN,
    "/api/auth/mfa/challenge": Kind.LOGIN,
    "/api/auth/password/reset": Kind.LOGIN,
}
_PREFIXES: Final = (
    ("/internal/", Kind.INTERNAL),
    ("/api/admin/", Kind.ADMIN),
    ("/api/imports", Kind.ADMIN),
    ("/api/webhooks/", Kind.WEBHOOK),
)


def kind_of(method: str, path: str) -> Kind:
    """Return what kind of work a request is, by its method and path alone."""
    if method == "POST":
        if (posted := _POSTED.get(path)) is not None:
            return posted
        if path.endswith("/payments") and path.startswith("/api/orders/"):
            return Kind.PAYMENT
    for prefix, kind in _PREFIXES:
        if path.startswith(prefix):
            return kind
    return Kind.READ if method in _READS else Kind.CHANGE


class Limiter:
    """The limit of one kind of work in one process; for one thread.

    `enter` and `leave` come in pairs; between them one place is taken.
    """

    __slots__ = (
        "_before",
        "_bounds",
        "_clock",
        "_left_at",
        "_refused",
        "_shrunk_at",
        "in_flight",
        "limit",
    )

    def __init__(
        self, name: str, bounds: Bounds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bounds = bounds
        self._clock = clock
        self._shrunk_at = self._left_at = clock()
        self._refused = REFUSED.labels(name)
        self.in_flight = 0
        self.limit = self._before = float(bounds.start)
        LIMIT.labels(name).set_function(lambda: int(self.limit))
        IN_WORK.labels(name).set_function(lambda: self.in_flight)

    def is_full(self) -> bool:
        """Tell whether `enter` would refuse now."""
        if self.in_flight < int(self.limit):
            return False
        return self.in_flight > 0 or not self._has_rested()

    def enter(self) -> float:
        """Take a place; return the moment, for `leave`. Raises Overloaded where none is left."""
        if self.in_flight == 0 and self._has_rested():
            self.limit = float(self._bounds.start)
        if self.in_flight >= int(self.limit):
            raise self.refusal()
        self.in_flight += 1
        return self._clock()

    def leave(self, entered_at: float, *, was_refused: bool = False) -> None:
        """Give the place back and learn from how long it was needed.

        `was_refused`: whoever did the work is overloaded itself, or never answered.
        """
        now, crowd = self._clock(), self.in_flight
        self.in_flight -= 1
        self._left_at = now
        took_s, promised_s = now - entered_at, self._bounds.promised_s
        if was_refused or took_s > promised_s:
            # With few others about it was late for a reason that a limit does not mend.
            if crowd >= 2 * self._bounds.least:
                share = min(_LEAST_SHRINK, promised_s / took_s) if took_s else _LEAST_SHRINK
                self._shrink(entered_at, now, crowd, max(_MOST_SHRINK, share))
        elif crowd * 2 >= self.limit:
            self.limit = min(self.limit + 1 / self.limit, float(self._bounds.most))

    def abandon(self) -> None:
        """Give the place back without learning: the time taken was not the work's."""
        self.in_flight -= 1
        self._left_at = self._clock()

    def refusal(self) -> Overloaded:
        """Return the refusal, counted."""
        self._refused.inc()
        return Overloaded("there is more to do than can be done; try again", retry_after_s=1)

    def _shrink(self, entered_at: float, now: float, crowd: int, share: float) -> None:
        """Shrink to this share of the crowd that there was when the round began."""
        # What entered before the last time says nothing about what that has changed.
        if entered_at >= self._shrunk_at:
            self._shrunk_at = now
            self._before = min(self.limit, float(crowd))
        shrunk = max(self._before * share, float(self._bounds.least))
        self.limit = min(self.limit, shrunk)

    def _has_rested(self) -> bool:
        return self._clock() - self._left_at > _FORGET_AFTER_S

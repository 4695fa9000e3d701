"""Whether anybody still waits for what is being worked on.

A request is given up by its deadline (`X-Request-Timeout-Ms`, passed on with every call) and by the
end of the connection it came over. Whoever is about to begin something costly looks here first.
"""

import time
from contextvars import ContextVar
from typing import Final, NamedTuple

from common_lib.errors import Unavailable
from common_lib.http_client import deadline

EXTENSION: Final = "shop.caller"


class Caller:
    """Who asked: the other end of a connection."""

    __slots__ = ("is_gone",)

    def __init__(self) -> None:
        self.is_gone = False


caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


class NobodyWaits(Unavailable):
    """The work was not begun."""

    code = "nobody_waits"
    title = "The time given for the answer was over before the work began"


class Wait(NamedTuple):
    """How long somebody waits; taken where the request is at hand, looked at anywhere."""

    until: float | None
    caller: Caller | None

    def is_over(self) -> bool:
        if self.caller is not None and self.caller.is_gone:
            return True
        return self.until is not None and time.monotonic() >= self.until


def current_wait() -> Wait:
    return Wait(deadline.get(), caller.get())


def ensure_awaited() -> None:
    """Raise NobodyWaits where the request in hand has been given up."""
    if current_wait().is_over():
        raise NobodyWaits

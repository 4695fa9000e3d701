"""Waiting for an observable state, with a deadline; never for a time to pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.1


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]], *, timeout_s: float = 15, what: str = ""
) -> Any:
    """Return the condition's first true value; AssertionError once the deadline has passed."""
    deadline, pause_s = time.monotonic() + timeout_s, FIRST_PAUSE_S
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {timeout_s} s: {what or condition}")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.2, LONGEST_PAUSE_S)

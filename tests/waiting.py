"""Waiting for an observable state, with a deadline; never for a time to pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

POLL_S = 0.02


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]], *, timeout_s: float = 15, what: str = ""
) -> Any:
    """Return the condition's first true value; AssertionError once the deadline has passed."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {timeout_s} s: {what or condition}")
        await asyncio.sleep(POLL_S)

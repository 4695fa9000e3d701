"""How one process tells another, over Redis, that a commit left work for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis

from common_lib.cache import REDIS_FAILURES
from common_lib.runtime import Component

PAYMENT_WAKE_CHANNEL: Final = "payment-wake"
_RECONNECT_PAUSE_S: Final = 1.0


def whenever_woken(redis: Redis, poll_s: float, job: Callable[[], Awaitable[int]]) -> Component:
    """Return a component that runs `job` when woken, and every `poll_s` seconds all the same.

    A job that says it did something is run again at once: there may be more.
    """

    async def loop(stop: asyncio.Event) -> None:
        woken = asyncio.Event()
        listener = asyncio.create_task(_listen(redis, woken, stop))
        try:
            while not stop.is_set():
                woken.clear()
                if not await job():
                    await _first_of(woken, stop, poll_s)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    return loop


async def _listen(redis: Redis, woken: asyncio.Event, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            async with redis.pubsub() as channel:
                await channel.subscribe(PAYMENT_WAKE_CHANNEL)
                while not stop.is_set():
                    if await channel.get_message(ignore_subscribe_messages=True, timeout=1.0):
                        woken.set()
        except REDIS_FAILURES:
            await asyncio.sleep(_RECONNECT_PAUSE_S)


async def _first_of(woken: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in (woken, stop)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()

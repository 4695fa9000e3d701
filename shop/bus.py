"""The event bus of the local stack, which forgets its queues whenever it stops.

`restore` publishes again what a bus without memory cannot know; a mark in the bus itself says that
it was done, so a bus without the mark is a new one. `drain` waits until all that was taken is
done. `keep` restores it again and again, for as long as the stack is up.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from rich.console import Console

from common_lib.bus import BUS_FAILURES
from common_lib.clock import now
from common_lib.database import Database
from common_lib.errors import Unavailable
from common_lib.settings import DatabaseSettings
from shop import books
from shop.queues import (
    DEAD_LETTERS,
    QUEUES,
    QueueMissing,
    is_fresh,
    mark_restored,
    queue_depths,
    sqs_of,
)
from shop.replay.command import earliest, replay_all, tell
from shop.replay.events import WITH_OUTBOX
from shop.stack.environment import DRAINED_VARIABLE
from shop.stack.errors import StackError
from shop.stack.progress import Progress, Step

KEPT_VARIABLE: Final = "SHOP_BUS_KEPT_FILE"
KEEP_EVERY_S: Final = 5.0
_POLL_S: Final = 0.5
# A message whose worker died is hidden for 60 s before another may have it.
_STALLED_S: Final = 75.0
_DRAIN_S: Final = 240.0
_AWAY: Final = (Unavailable, QueueMissing, *BUS_FAILURES)
_PENDING: Final = sa.text(
    "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL"
)


def run_replay() -> None:
    """Restore the bus if it is a new one, and say what came of it. Raises StackError."""
    console = Console()
    if not asyncio.run(restore(books.of_environment_or_local(), console)):
        console.print("the bus remembers: nothing to publish again", highlight=False)


def run_drain() -> None:
    """Wait until outboxes and queues are empty. Raises StackError if they do not empty."""
    asyncio.run(drain(books.of_environment_or_local(), Progress(Console())))


def run_keep() -> None:
    """Restore the bus whenever it is a new one, until stopped; what is away is waited for."""
    asyncio.run(_keep(books.of_environment_or_local(), Console()))


async def restore(settings: Mapping[str, DatabaseSettings], console: Console) -> bool:
    """Publish again what a new bus cannot know; False if it is no new one. Safe to repeat.

    Its queues and subscriptions must be there: what is published before goes nowhere.
    """
    async with sqs_of(settings["order"]) as sqs:
        if not await is_fresh(sqs):
            return False
        async with books.opened(settings) as databases:
            since = _drained_until(os.environ.get(DRAINED_VARIABLE)) or earliest()
            done = await replay_all(databases, since)
        await mark_restored(sqs, now().isoformat())
    tell(done, console)
    return True


async def drain(settings: Mapping[str, DatabaseSettings], progress: Progress) -> None:
    """Wait while the workers finish what was taken, for as long as something moves.

    Raises StackError naming what is left; nothing of it is lost.
    """
    async with books.opened(settings) as databases:
        with progress.step("finishing what was taken:") as step:
            began = now()
            left = await _emptied(databases, settings["order"], step)
        if left:
            raise StackError(f"{left} are left", "make up delivers them")
    depths = await queue_depths(settings["order"])
    dead = sum(depths[queue] for queue in DEAD_LETTERS)
    if dead:
        progress.warn(f"{dead:,} dead letters: make up tries them again")
    else:
        _note_drained(os.environ.get(DRAINED_VARIABLE), began)
    progress.done("every event has arrived", step.elapsed_s)


async def _emptied(
    databases: Mapping[str, Database], settings: DatabaseSettings, step: Step
) -> str:
    """Return what is left once all is empty, nothing moves any more, or it takes too long."""
    seen, moved_at = (-1, -1), time.monotonic()
    while True:
        counts = await _counts(databases, settings)
        if not any(counts):
            return ""
        if counts != seen:
            seen, moved_at = counts, time.monotonic()
        told = f"{counts[0]:,} events in outboxes and {counts[1]:,} messages in queues"
        step.beat(told)
        if time.monotonic() - moved_at > _STALLED_S or step.elapsed_s > _DRAIN_S:
            return told
        await asyncio.sleep(_POLL_S)


async def _counts(databases: Mapping[str, Database], settings: DatabaseSettings) -> tuple[int, int]:
    waiting = 0
    for service in WITH_OUTBOX:
        async with databases[service].read_own_writes() as session:
            waiting += int(await session.scalar(_PENDING) or 0)
    depths = await queue_depths(settings)
    return waiting, sum(depths[queue] for queue in QUEUES)


async def _keep(settings: Mapping[str, DatabaseSettings], console: Console) -> None:
    kept = os.environ.get(KEPT_VARIABLE)
    while True:
        try:
            await restore(settings, console)
            if kept:
                await asyncio.to_thread(Path(kept).touch)
        except _AWAY as error:
            console.print(f"not restored yet: {type(error).__name__}", markup=False)
        await asyncio.sleep(KEEP_EVERY_S)


def _drained_until(file: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(Path(file or "").read_text().strip())
    except (OSError, ValueError):
        return None


def _note_drained(file: str | None, moment: datetime) -> None:
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(moment.isoformat())

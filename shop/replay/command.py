"""`shop outbox replay`: the operator's words for it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console

from common_lib.clock import now
from common_lib.database import Database
from common_lib.outbox import KEPT_DAYS
from shop import books
from shop.replay.events import WITH_OUTBOX, Replayed, replay
from shop.stack.errors import StackError

ALL: Final = "all"
_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def run(service: str, since: str) -> None:
    """Publish a service's events again, or those of all three. Raises StackError."""
    if service != ALL and service not in WITH_OUTBOX:
        choices = ", ".join((*WITH_OUTBOX, ALL))
        raise StackError(f"there is no outbox of {service!r}", f"choose one of {choices}")
    moment = moment_of(since)
    tell(asyncio.run(_replayed(WITH_OUTBOX if service == ALL else (service,), moment)), Console())


def moment_of(text: str) -> datetime:
    """Read "90m", "2h", "7d" or a time of ISO 8601; without a zone it is UTC. Raises StackError."""
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise StackError(
            f"{text!r} is no time", "give for example 90m, 2h, 7d or 2026-11-30T18:00:00Z"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def earliest() -> datetime:
    """Return since when the outboxes still have what was published."""
    return now() - timedelta(days=KEPT_DAYS)


async def replay_all(
    databases: Mapping[str, Database], since: datetime, services: Sequence[str] = WITH_OUTBOX
) -> list[Replayed]:
    return [await replay(databases, service, since) for service in services]


def tell(done: Sequence[Replayed], console: Console) -> None:
    for each in done:
        words = f"{each.service}: {each.events:,} published again, {each.arrived:,} had arrived"
        if each.links or each.ended:
            words += f", {each.links:,} links made anew, {each.ended:,} no longer wanted"
        console.print(words, highlight=False, markup=False, soft_wrap=True)


async def _replayed(services: Sequence[str], since: datetime) -> list[Replayed]:
    async with books.opened(books.of_environment_or_local()) as databases:
        return await replay_all(databases, since, services)

"""Makes a search index anew: asks the catalog's worker for it and shows how far it is.

The worker does the work, so Ctrl-C only ends the watching. Search goes on meanwhile.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from common_lib.clock import now
from common_lib.database import Database, WriteSession, to_column
from common_lib.ids import new_id
from common_lib.settings import DatabaseSettings
from shop.stack.environment import database_variable
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack

TARGETS: Final = ("mysql", "elasticsearch")
POLL_S: Final = 0.5
# Between two batches nothing is heard; a worker that says nothing for longer is not there.
SILENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class State:
    status: str
    done: int
    total: int
    failure: str | None


def run(target: str) -> None:
    """Rebuild the index and show the progress. Raises StackError if no worker takes it up."""
    if target not in TARGETS:
        raise StackError(f"there is no index {target!r}", f"choose one of {', '.join(TARGETS)}")
    url = os.environ.get(database_variable("catalog"))
    asyncio.run(rebuild(url or NativeStack(Layout.local()).database_url("catalog"), target))


async def rebuild(url: str, target: str, console: Console | None = None) -> State:
    """Ask for a rebuild, watch it to its end and return that. Raises StackError."""
    database = Database(DatabaseSettings(port=1, database_url=url, database_read_urls=()))
    try:
        rebuild_id = await _request(database, target)
        return await _watched(database, rebuild_id, target, console or Console())
    finally:
        await database.close()


async def _request(database: Database, target: str) -> UUID:
    rebuild_id, at = new_id(), to_column(now())
    insert = sa.text(
        "INSERT INTO search_rebuilds (id, target, status, created_at, updated_at)"
        " VALUES (:id, :target, 'QUEUED', :at, :at)"
    )

    async def work(session: WriteSession) -> None:
        await session.execute(insert, {"id": rebuild_id.bytes, "target": target, "at": at})

    await database.transact(work)
    return rebuild_id


async def _watched(database: Database, rebuild_id: UUID, target: str, console: Console) -> State:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began, heard, seen = time.monotonic(), time.monotonic(), -1
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"Indexing for {target}", total=None, rate="")
        while True:
            state = await _state(database, rebuild_id)
            rate = f"{state.done / max(0.001, time.monotonic() - began):,.0f} a second"
            progress.update(bar, completed=state.done, total=state.total or None, rate=rate)
            if state.status in {"DONE", "FAILED"}:
                break
            if state.done != seen:
                seen, heard = state.done, time.monotonic()
            _require_a_worker(heard, target)
            await asyncio.sleep(POLL_S)
    if state.status == "FAILED":
        raise StackError(f"the rebuild failed: {state.failure}", "see the catalog worker's log")
    console.print(f"{state.done:,} products indexed for {target}", highlight=False)
    return state


def _require_a_worker(heard: float, target: str) -> None:
    if time.monotonic() - heard > SILENCE_S:
        fix = "start it with `make up`; for elasticsearch also set SHOP_SEARCH_BACKEND"
        raise StackError(f"no catalog worker rebuilds {target}", fix)


async def _state(database: Database, rebuild_id: UUID) -> State:
    select = sa.text("SELECT status, done, total, failure FROM search_rebuilds WHERE id = :id")
    async with database.read_own_writes() as session:
        return State(*(await session.execute(select, {"id": rebuild_id.bytes})).one())

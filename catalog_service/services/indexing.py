"""Keeping search up to date: what is marked is drained, and rebuilds are done.

Event handlers only mark products. The marks are drained by the worker apart from the queue: an
index that is away delays no order event. A product is read when its copy is written, so the order
of events does not matter.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from catalog_service.models.search import SearchTarget
from catalog_service.queries import search_index as queries
from catalog_service.services.search.documents import document_of
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

INDEXED = Counter("search_indexed_total", "Products whose copies were written", ["target"])
BATCH: Final = 200
_IDLE_S: Final = 0.2
_AWAY_S: Final = 2.0


async def mark(database: Database, ids: Sequence[UUID]) -> None:
    """Have the copies of these products written anew."""
    await database.transact(lambda session: queries.mark_products(session, ids))


async def index(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Write the copies of these products in MySQL as they are now."""
    documents = [document_of(source) for source in await queries.sources(session, ids)]
    await queries.replace_documents(session, ids, documents)


class MySqlIndexer:
    """Drains the marks into search_documents; with `hands_on`, marks them for Elasticsearch."""

    def __init__(self, database: Database, *, hands_on: bool = False) -> None:
        self._database = database
        self._hands_on = hands_on

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until stopped; a database that is away is waited for."""
        while not stop.is_set():
            pause_s = _IDLE_S
            try:
                if await self.drain() == BATCH:
                    continue
            except Unavailable as error:
                log.warning("search.indexing_held", target="mysql", reason=error.detail)
                pause_s = _AWAY_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)

    async def drain(self) -> int:
        """Write the copies that are due, at most a batch; return how many."""

        async def work(session: WriteSession) -> int:
            due = await queries.lock_due(session, SearchTarget.MYSQL, limit=BATCH)
            if not due:
                return 0
            ids = [one.product_id for one in due]
            await index(session, ids)
            if self._hands_on:
                await queries.mark_products(session, ids, SearchTarget.ELASTICSEARCH)
            await queries.remove_marks(session, SearchTarget.MYSQL, due)
            return len(due)

        done = await self._database.transact(work)
        if done:
            INDEXED.labels(SearchTarget.MYSQL.value).inc(done)
        return done

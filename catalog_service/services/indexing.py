"""Keeping search up to date: what is marked is drained, and rebuilds are done.

Event handlers only mark products. The marks are drained by the worker apart from the queue: an
index that is away delays no order event. A product is read when its copy is written, so the order
of events does not matter.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError, IntegrityError

from catalog_service.clients.elasticsearch import ALIAS, ElasticsearchClient, IndexMissing
from catalog_service.models.search import SearchTarget
from catalog_service.queries import search_index as queries
from catalog_service.queries import search_rebuilds as rebuilds
from catalog_service.services.search.documents import document_of
from catalog_service.services.search.elastic_bodies import source_of
from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

INDEXED = Counter("search_indexed_total", "Products whose copies were written", ["target"])
BATCH: Final = 200
_MARKED_AT_ONCE: Final = 2_000
_IDLE_S: Final = 0.2
_AWAY_S: Final = 2.0
_LEASE_S: Final = 60
_UNWRITABLE: Final = (DBAPIError, ValueError, TypeError, AttributeError)
_UNWRITABLE_WAIT_S: Final = 600
_LONGEST_WAIT_S: Final = 30

Drain = Callable[[], Awaitable[int]]


async def mark(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Have the copies of these products written anew, once this transaction is committed."""
    await queries.mark_products(session, ids)


async def mark_behind(database: Database) -> None:
    """Have the copies written anew that differ from their products, whyever they do.

    No sale marks its product: a mark per order would make one row of the best seller's as hot as
    its stock. An event that never came is made good here, too.
    """
    found = await database.transact(
        lambda session: queries.mark_behind(session, limit=_MARKED_AT_ONCE)
    )
    if found:
        log.info("search.behind", products=found)


async def index(session: WriteSession, ids: Sequence[UUID], *, is_anew: bool = False) -> None:
    """Write the copies of these products in MySQL as they are now.

    With `is_anew` every row is made again, also where its words are the same. Raises Unavailable
    when another indexer writes one of them at the same time: then it is done again.
    """
    documents = [document_of(source) for source in await queries.sources(session, ids)]
    try:
        await queries.replace_documents(session, ids, documents, is_anew=is_anew)
    except IntegrityError as error:
        if not is_duplicate_key(error):
            raise
        raise Unavailable("another indexer was quicker", retry_after_s=1) from error


async def drained(stop: asyncio.Event, target: SearchTarget, drain: Drain) -> None:
    """Drain batch after batch until stopped; what is away is waited for."""
    while not stop.is_set():
        pause_s = _IDLE_S
        try:
            done = await drain()
        except Unavailable as error:
            log.warning("search.indexing_held", target=target.value, reason=error.detail)
            pause_s = _AWAY_S
        else:
            INDEXED.labels(target.value).inc(done)
            if done == BATCH:
                continue
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


class MySqlIndexer:
    """Drains the marks into search_documents; with `hands_on`, marks them for Elasticsearch."""

    def __init__(self, database: Database, *, hands_on: bool = False) -> None:
        self._database = database
        self._hands_on = hands_on

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until stopped."""
        await drained(stop, SearchTarget.MYSQL, self.drain)

    async def drain(self) -> int:
        """Write the copies that are due, at most a batch; return how many. Raises Unavailable.

        A product whose copy cannot be written is put off, so that it holds up no other.
        """
        try:
            return await self._drain(BATCH)
        except _UNWRITABLE as error:
            log.warning("search.batch_failed", error=type(error).__name__, exc_info=error)
        try:
            return await self._drain(1)
        except _UNWRITABLE:
            await self._database.transact(_put_first_off)
            return 1

    async def _drain(self, limit: int) -> int:
        async def work(session: WriteSession) -> int:
            due = await queries.lock_due(session, SearchTarget.MYSQL, limit=limit)
            if not due:
                return 0
            ids = [one.product_id for one in due]
            await index(session, ids)
            if self._hands_on:
                await queries.mark_products(session, ids, SearchTarget.ELASTICSEARCH)
            await queries.remove_marks(session, SearchTarget.MYSQL, due)
            return len(due)

        return await self._database.transact(work)


async def _put_first_off(session: WriteSession) -> None:
    due = await queries.lock_due(session, SearchTarget.MYSQL, limit=1)
    until = now() + timedelta(seconds=_UNWRITABLE_WAIT_S)
    await queries.put_off(session, SearchTarget.MYSQL, due, until)
    for one in due:
        log.error("search.product_put_off", product_id=str(one.product_id))


class ElasticIndexer:
    """Drains the second marks into Elasticsearch; one that is away only lets them wait.

    A mark is leased while its copy is on the way. Copies carry the moment they were read at as
    their version, so that an older one never replaces a newer.
    """

    def __init__(self, database: Database, client: ElasticsearchClient) -> None:
        self._database = database
        self._client = client

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until stopped."""
        await drained(stop, SearchTarget.ELASTICSEARCH, self.drain)

    async def drain(self) -> int:
        """Write the copies that are due, at most a batch; return how many. Raises Unavailable."""
        due, documents, version = await self._database.transact(self._lease)
        if not due:
            return 0
        indexes = [ALIAS, *await self._indexes_being_made()]
        try:
            refused: set[str] = set()
            for name in indexes:
                refused |= set(await self._client.write(name, documents, version=version))
        except IndexMissing:
            await self._database.transact(request_rebuild)
            await self._again(due)
            raise
        except Unavailable:
            await self._again(due)
            raise
        done = [one for one in due if one.product_id.hex not in refused]
        await self._database.transact(
            lambda session: queries.remove_marks(session, SearchTarget.ELASTICSEARCH, done)
        )
        return len(due)

    async def _lease(
        self, session: WriteSession
    ) -> tuple[list[queries.Due], dict[str, dict[str, Any] | None], int]:
        due = await queries.lock_due(session, SearchTarget.ELASTICSEARCH, limit=BATCH)
        until = now() + timedelta(seconds=_LEASE_S)
        await queries.put_off(session, SearchTarget.ELASTICSEARCH, due, until)
        documents, version = await read_documents(session, [one.product_id for one in due])
        return due, documents, version

    async def _again(self, due: Sequence[queries.Due]) -> None:
        """Give the marks back: they are tried again, the more often in vain the later."""
        longest = min(_LONGEST_WAIT_S, 2 ** max(one.attempts for one in due))
        until = now() + timedelta(seconds=longest)
        await self._database.transact(
            lambda session: queries.put_off(session, SearchTarget.ELASTICSEARCH, due, until)
        )

    async def _indexes_being_made(self) -> Sequence[str]:
        async with self._database.read_own_writes() as session:
            return await rebuilds.indexes_being_made(session)


async def read_documents(
    session: WriteSession, ids: Sequence[UUID]
) -> tuple[dict[str, dict[str, Any] | None], int]:
    """Return the copies by id, None for what nobody may find, and the moment they were read at."""
    if not ids:
        return {}, 0
    version = await rebuilds.microseconds(session)
    found: dict[str, dict[str, Any] | None] = dict.fromkeys(id_.hex for id_ in ids)
    for source in await queries.sources(session, ids):
        document = document_of(source)
        found[document.product_id.hex] = source_of(document)
    return found, version


async def request_rebuild(session: WriteSession) -> None:
    """Have Elasticsearch's index made, unless somebody has asked for that already."""
    await rebuilds.request(session, SearchTarget.ELASTICSEARCH, unless_open=True)

"""Making an index anew while search goes on, by whichever worker has the time.

MySQL's copies are replaced in place, batch by batch. Elasticsearch gets a new index; meanwhile
what changes is written to both, and at the end the alias is moved in one step. A worker that dies
is followed by another, which carries on where it stopped.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from catalog_service.clients.elasticsearch import ALIAS, ElasticsearchClient
from catalog_service.models.search import RebuildStatus, SearchRebuild, SearchTarget
from catalog_service.queries import search_rebuilds as queries
from catalog_service.services.indexing import index, read_documents
from catalog_service.services.search.elastic_bodies import INDEX
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

BATCH: Final = 500
_POLL_S: Final = 1.0
_LEASE_S: Final = 60.0


class Rebuilder:
    """Carries out the rebuilds in search_rebuilds; without a client, only those of MySQL."""

    def __init__(self, database: Database, client: ElasticsearchClient | None = None) -> None:
        self._database = database
        self._client = client

    async def run(self, stop: asyncio.Event) -> None:
        """Look for rebuilds until stopped; one in hand is left to be carried on."""
        while not stop.is_set():
            is_busy = False
            try:
                is_busy = await self.step()
            except Unavailable as error:
                log.warning("search.rebuild_held", reason=error.detail)
            if not is_busy:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _POLL_S)

    async def step(self) -> bool:
        """Do one batch of one rebuild; return whether there was one. Raises Unavailable."""
        targets = [SearchTarget.MYSQL, *([SearchTarget.ELASTICSEARCH] if self._client else [])]
        rebuild = await self._database.transact(
            lambda session: queries.lease_next(session, targets, seconds=_LEASE_S)
        )
        if rebuild is None:
            return False
        try:
            await self._carry_on(rebuild)
        finally:
            await self._database.transact(lambda session: _release(session, rebuild.id))
        return True

    async def _carry_on(self, rebuild: SearchRebuild) -> None:
        if rebuild.status is RebuildStatus.QUEUED:
            await self._begin(rebuild)
            return
        async with self._database.read_own_writes() as session:
            ids = await queries.next_products(session, rebuild.last_product_id, limit=BATCH)
        if ids:
            await self._write(rebuild, ids)
        else:
            await self._finish(rebuild)

    async def _begin(self, rebuild: SearchRebuild) -> None:
        name = None
        if self._client is not None and rebuild.target is SearchTarget.ELASTICSEARCH:
            name = f"{ALIAS}-{rebuild.id.hex}"
            await self._client.create_index(name, INDEX)

        async def work(session: WriteSession) -> None:
            row = await queries.lock(session, rebuild.id)
            row.status, row.index_name = RebuildStatus.RUNNING, name
            row.total = await queries.product_count(session)

        await self._database.transact(work)

    async def _write(self, rebuild: SearchRebuild, ids: Sequence[UUID]) -> None:
        if self._client is not None and rebuild.index_name is not None:
            documents, version = await self._database.transact(
                lambda session: read_documents(session, ids)
            )
            await self._client.write(rebuild.index_name, documents, version=version)

        async def work(session: WriteSession) -> None:
            if rebuild.target is SearchTarget.MYSQL:
                await index(session, ids, is_anew=True)
            row = await queries.lock(session, rebuild.id)
            row.last_product_id = ids[-1]
            row.done += len(ids)
            row.total = max(row.total, row.done)
            row.updated_at = now()

        await self._database.transact(work)

    async def _finish(self, rebuild: SearchRebuild) -> None:
        if self._client is not None and rebuild.index_name is not None:
            await self._client.point_alias_at(rebuild.index_name)

        async def work(session: WriteSession) -> None:
            row = await queries.lock(session, rebuild.id)
            row.status, row.updated_at = RebuildStatus.DONE, now()
            if rebuild.target is SearchTarget.MYSQL:
                await queries.forget_unused_words(session)

        await self._database.transact(work)


async def _release(session: WriteSession, rebuild_id: UUID) -> None:
    row = await queries.lock(session, rebuild_id)
    row.lease_until = None

"""Carrying imports out, chunk by chunk, so that nothing is lost or done twice.

The rows of a chunk, their errors and the progress commit together. A worker that dies leaves a
lease behind; the one that takes the job over goes on after the last chunk that was committed.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from catalog_service.models.imports import ImportStatus, ProductImport
from catalog_service.models.products import Product
from catalog_service.queries import categories as tree
from catalog_service.queries import imports as queries
from catalog_service.queries import products
from catalog_service.queries.bulk import write_products
from catalog_service.queries.imports import Lease
from catalog_service.services.announcements import Announcements
from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports import reader
from catalog_service.services.imports.categories import CategoryNames
from catalog_service.services.imports.plan import Known, Plan, Refusal
from catalog_service.services.imports.reader import Group
from catalog_service.services.products.rules import (
    SellerNotActive,
    SkuTaken,
    is_category_gone,
    tell_of_change,
)
from catalog_service.services.products.variants import stock_shelves
from catalog_service.settings import SERVICE
from common_lib.clock import Clock, now
from common_lib.crash_points import crash_point
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.events.catalog import ProductCreated
from common_lib.outbox import enqueue

log = structlog.get_logger(__name__)

KEPT_DAYS: Final = 30
# A row that kills its worker (of memory, say) would come back for ever.
MAX_ATTEMPTS: Final = 5
_GIVEN_UP: Final = "too_many_attempts"
_PRUNED_AT_ONCE: Final = 20


class LeaseLost(Exception):
    """Another worker has taken the job over."""


@dataclass(slots=True)
class Job:
    """A job in a worker's hands; the lease moves on with every chunk."""

    lease: Lease
    actor_id: UUID
    seller_id: UUID | None
    source: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Importer:
    """`lease_s` is how long a job is left alone after its worker was last heard of."""

    database: Database
    announcements: Announcements
    currency: str
    lease_s: float = 30
    chunk_rows: int = 50
    poll_s: float = 1
    clock: Clock = now

    async def run(self, stop: asyncio.Event) -> None:
        """Work on jobs until told to stop; the one in hand is then left for others at once."""
        while not stop.is_set():
            job = await self.take()
            if job is not None:
                await self.work(job, stop)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.poll_s)

    async def take(self) -> Job | None:
        """Take the next job that nobody holds; one whose workers die over it is given up."""

        async def work(session: WriteSession) -> ProductImport | None:
            while job := await self._claim(session):
                if job.attempts <= MAX_ATTEMPTS:
                    return job
                log.error("import.given_up", import_id=str(job.id), done_rows=job.done_rows)
                queries.finish_import(job, ImportStatus.FAILED, _GIVEN_UP)
                await session.flush()
            return None

        found = await self.database.transact(work)
        if found is None or found.lease_until is None:
            return None
        async with self.database.read_own_writes() as session:
            packed = await queries.source_of(session, found.id)
        source = await asyncio.to_thread(zlib.decompress, packed) if packed else b""
        lease = Lease(found.id, found.lease_until, found.done_rows)
        return Job(lease, found.actor_id, found.seller_id, source)

    async def _claim(self, session: WriteSession) -> ProductImport | None:
        return await queries.claim_import(session, at=self.clock(), lease_s=self.lease_s)

    async def work(self, job: Job, stop: asyncio.Event) -> None:
        """Carry a job out to its end, as far as it stays ours."""
        try:
            await self._work(job, stop)
        except LeaseLost:
            log.warning("import.lost", import_id=str(job.lease.import_id))
        except Unavailable:
            raise
        except Exception:
            # A chunk that no worker can do would come back for ever.
            log.exception("import.failed", import_id=str(job.lease.import_id))
            await self._end(job, ImportStatus.FAILED, "internal_error")

    async def _work(self, job: Job, stop: asyncio.Event) -> None:
        chunks = _chunks(job, self.chunk_rows)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            try:
                await self._carry_out(job, chunk)
            except SellerNotActive as error:
                await self._end(job, ImportStatus.FAILED, error.code)
                return
            if stop.is_set():
                await self._release(job)
                return
        await self._end(job, ImportStatus.DONE)

    async def _carry_out(self, job: Job, chunk: Sequence[Group]) -> None:
        """Do a chunk; what a key refuses is tried again product by product."""
        try:
            await self._transact(job, chunk)
        except IntegrityError:
            log.info("import.conflict", import_id=str(job.lease.import_id))
            for group in chunk:
                await self._carry_out_alone(job, group)

    async def _carry_out_alone(self, job: Job, group: Group) -> None:
        try:
            await self._transact(job, [group])
        except IntegrityError as error:
            await self._transact(job, [group], refusal=_refusal(error))

    async def _transact(
        self, job: Job, chunk: Sequence[Group], refusal: Refusal | None = None
    ) -> None:
        async def work(session: WriteSession) -> tuple[Plan, Lease]:
            row = await queries.lock_leased(session, job.lease)
            if row is None:
                raise LeaseLost
            await _require_active(session, job.seller_id)
            plan = Plan(await _known(session, chunk, job.seller_id, self.currency))
            for group in chunk:
                if refusal is None:
                    plan.take(group)
                else:
                    plan.refuse_whole(group, refusal)
            await _save(session, plan, job.actor_id)
            lease = await self._advance(session, row, plan)
            await session.flush()
            crash_point("catalog.import_before_commit")
            return plan, lease

        plan, job.lease = await self.database.transact(work)
        crash_point("catalog.import_after_commit")
        await self._announce(plan)

    async def _advance(self, session: WriteSession, row: ProductImport, plan: Plan) -> Lease:
        await queries.write_errors(
            session,
            [
                {
                    "import_id": row.id,
                    "line": error.line,
                    "column_name": error.column,
                    "code": error.code,
                    "detail": error.detail,
                }
                for error in plan.errors
            ],
        )
        until = self.clock() + timedelta(seconds=self.lease_s)
        row.done_rows += plan.rows
        row.created_rows += plan.created_rows
        row.updated_rows += plan.updated_rows
        row.failed_rows += plan.failed_rows
        row.lease_until = until
        row.attempts = 1
        row.updated_at = self.clock()
        return Lease(row.id, until, row.done_rows)

    async def _announce(self, plan: Plan) -> None:
        products = (*plan.created, *plan.changed.values())
        if products:
            variants = (variant.id for product in products for variant in product.variants)
            ids = (product.id for product in products)
            await self.announcements.product_changed(*ids, variants=variants)

    async def _end(self, job: Job, status: ImportStatus, failure: str | None = None) -> None:
        async def work(session: WriteSession) -> None:
            row = await queries.lock_leased(session, job.lease)
            if row is None:
                raise LeaseLost
            queries.finish_import(row, status, failure)

        await self.database.transact(work)
        log.info("import.ended", import_id=str(job.lease.import_id), status=status.value)

    async def _release(self, job: Job) -> None:
        async def work(session: WriteSession) -> None:
            row = await queries.lock_leased(session, job.lease)
            if row is not None:
                row.lease_until = self.clock()
                row.attempts = 0

        await self.database.transact(work)


async def prune(database: Database, *, clock: Clock = now) -> None:
    """Delete what ended long ago, a few jobs in each transaction."""
    before = clock() - timedelta(days=KEPT_DAYS)

    async def work(session: WriteSession) -> int:
        return await queries.prune_imports(session, before=before, limit=_PRUNED_AT_ONCE)

    while await database.transact(work):
        pass


def _chunks(job: Job, chunk_rows: int) -> Iterator[list[Group]]:
    """Yield whole products until a chunk is full, beginning after what was done before."""
    chunk: list[Group] = []
    position = 0
    for group in reader.groups(job.source):
        position += len(group.rows)
        if position <= job.lease.done_rows:
            continue
        chunk.append(group)
        if sum(len(each.rows) for each in chunk) >= chunk_rows:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _refusal(error: IntegrityError) -> Refusal:
    if is_category_gone(error):
        return Refusal(csv_format.CATEGORY, "unknown_category", "there is no such category")
    return Refusal(csv_format.SKU, SkuTaken.code, SkuTaken.title)


async def _require_active(session: WriteSession, seller_id: UUID | None) -> None:
    """Raise SellerNotActive unless the store may sell; it is not suspended before the commit."""
    if seller_id is None:
        return
    seller = await products.lock_seller(session, seller_id)
    if seller is None or not seller.may_sell:
        raise SellerNotActive


async def _known(
    session: WriteSession, chunk: Sequence[Group], owner: UUID | None, currency: str
) -> Known:
    """Read what the catalog has of the chunk, in a fixed number of statements."""
    skus = {row.cells.get(csv_format.SKU, "").strip() for g in chunk for row in g.rows} - {""}
    sellers = await queries.owners_of_skus(session, sorted(skus))
    own = {product_id for _, product_id, seller_id in sellers if seller_id == owner}
    own |= set(await queries.products_with_slugs(session, [g.handle for g in chunk], owner))
    found = {p.id: p for p in await queries.lock_products(session, sorted(own))}
    return Known(
        owner=owner,
        product_of_sku={sku.casefold(): found.get(product_id) for sku, product_id, _ in sellers},
        product_of_slug={product.slug: product for product in found.values()},
        categories=CategoryNames.of(await tree.all_categories(session)),
        currency=currency,
    )


async def _save(session: WriteSession, plan: Plan, actor_id: UUID) -> None:
    for product in (*plan.created, *plan.changed.values()):
        product.settle()
    await write_products(session, list(plan.changed.values()))
    session.add_all(plan.created)
    await session.flush()
    if plan.shelves:
        await stock_shelves(session, plan.shelves, actor_id)
    await enqueue(session, *map(_created_event, plan.created), source=SERVICE)
    await tell_of_change(session, *plan.changed.values())


def _created_event(product: Product) -> ProductCreated:
    return ProductCreated(
        product_id=product.id,
        seller_id=product.seller_id,
        name=product.name,
        status=product.status.value,
        product_version=product.version,
    )

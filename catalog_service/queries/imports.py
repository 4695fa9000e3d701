"""The jobs of CSV imports, and what a chunk of a file is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from catalog_service.models.imports import ImportStatus, ProductImport, ProductImportError
from catalog_service.models.products import Product, ProductVariant
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession, to_column

_UNFINISHED: Final = (ImportStatus.QUEUED, ImportStatus.RUNNING)
# In the order of the index, so that one row is locked and the next worker finds another.
_CLAIM: Final = sa.text(
    "SELECT id FROM product_imports FORCE INDEX (ix_product_imports_status_lease_until)"
    " WHERE status IN ('QUEUED', 'RUNNING') AND (lease_until IS NULL OR lease_until <= :at)"
    " ORDER BY status, lease_until, id LIMIT 1 FOR UPDATE SKIP LOCKED"
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on a job: good for as long as the row still shows these values."""

    import_id: UUID
    lease_until: datetime
    done_rows: int


async def import_by_id(session: AnySession, import_id: UUID) -> ProductImport | None:
    select = sa.select(ProductImport).where(ProductImport.id == import_id)
    return (await session.scalars(select)).one_or_none()


async def unfinished_imports(session: AnySession, actor_id: UUID) -> int:
    select = sa.select(sa.func.count()).where(
        ProductImport.status.in_(_UNFINISHED), ProductImport.actor_id == actor_id
    )
    return (await session.execute(select)).scalar_one()


async def import_errors(
    session: AnySession, import_id: UUID, *, after: tuple[int, str] | None, limit: int
) -> Sequence[ProductImportError]:
    """Return what was wrong with rows, by line and column, beginning after the pair given."""
    error = ProductImportError
    select = (
        sa.select(error)
        .where(error.import_id == import_id)
        .order_by(error.line, error.column_name)
        .limit(limit)
    )
    if after is not None:
        line, column = after
        later = sa.or_(error.line > line, sa.and_(error.line == line, error.column_name > column))
        select = select.where(error.line >= line, later)
    return (await session.scalars(select)).all()


async def claim_import(
    session: WriteSession, *, at: datetime, lease_s: float
) -> ProductImport | None:
    """Take the next job that nobody holds, for `lease_s` seconds; others skip it."""
    found = (await session.execute(_CLAIM, {"at": to_column(at)})).scalar()
    if found is None:
        return None
    job = await import_by_id(session, UUID(bytes=found))
    if job is None:
        return None
    job.status = ImportStatus.RUNNING
    job.attempts += 1
    job.lease_until = at + timedelta(seconds=lease_s)
    job.started_at = job.started_at or at
    job.updated_at = at
    return job


async def source_of(session: AnySession, import_id: UUID) -> bytes:
    select = sa.select(ProductImport.source).where(ProductImport.id == import_id)
    return (await session.execute(select)).scalar_one()


async def lock_leased(session: WriteSession, lease: Lease) -> ProductImport | None:
    """Return the job with its row locked; None if it is no longer this worker's."""
    select = (
        sa.select(ProductImport)
        .where(
            ProductImport.id == lease.import_id,
            ProductImport.status == ImportStatus.RUNNING,
            ProductImport.lease_until == lease.lease_until,
            ProductImport.done_rows == lease.done_rows,
        )
        .with_for_update()
    )
    return (await session.scalars(select)).one_or_none()


def finish_import(job: ProductImport, status: ImportStatus, failure: str | None = None) -> None:
    """End a job; the file itself is kept no longer."""
    job.status, job.failure, job.source = status, failure, b""
    job.lease_until, job.finished_at = None, now()


async def write_errors(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await session.execute(sa.insert(ProductImportError), list(rows))


async def owners_of_skus(
    session: AnySession, skus: Sequence[str]
) -> Sequence[tuple[str, UUID, UUID | None]]:
    """Return (SKU, product, seller) of those that exist."""
    select = (
        sa.select(ProductVariant.sku, Product.id, Product.seller_id)
        .join(Product, Product.id == ProductVariant.product_id)
        .where(ProductVariant.sku.in_(skus))
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(select)]


async def products_with_slugs(
    session: AnySession, slugs: Sequence[str], seller_id: UUID | None
) -> Sequence[UUID]:
    select = sa.select(Product.id).where(
        Product.slug.in_(slugs), Product.seller_id.is_not_distinct_from(seller_id)
    )
    return (await session.scalars(select)).all()


async def lock_products(session: WriteSession, ids: Sequence[UUID]) -> Sequence[Product]:
    """Return the products with their variants; their rows are locked in the order of ids."""
    select = (
        sa.select(Product)
        .where(Product.id.in_(ids))
        .order_by(Product.id)
        .options(selectinload(Product.variants))
        .with_for_update()
    )
    return (await session.scalars(select)).all()


async def prune_imports(session: WriteSession, *, before: datetime, limit: int) -> int:
    """Delete jobs that ended before then, with their errors; return how many."""
    select = (
        sa.select(ProductImport.id)
        .where(
            ProductImport.status.in_((ImportStatus.DONE, ImportStatus.FAILED)),
            ProductImport.finished_at < before,
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await session.scalars(select)).all()
    for table, column in (
        (ProductImportError, ProductImportError.import_id),
        (ProductImport, ProductImport.id),
    ):
        await session.execute(sa.delete(table).where(column.in_(ids)))
    return len(ids)

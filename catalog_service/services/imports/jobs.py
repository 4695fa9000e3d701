"""Handing a file in, and reading how far it has come."""

import asyncio
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.imports import ImportStatus, ProductImport, ProductImportError
from catalog_service.queries import imports as queries
from catalog_service.queries import products
from catalog_service.schemas.imports import ImportOut, ImportReport, RowErrorOut
from catalog_service.services.imports import reader
from catalog_service.services.imports.decoding import as_utf8
from catalog_service.services.products.rules import SellerNotActive, require_owner, seller_for
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, NotFound, Unavailable
from common_lib.idempotency import IdempotencyKeyReused
from common_lib.ids import new_id

_PACKING_LEVEL: Final = 1
_VERSION_8: Final = (0x8 << 76) | (0x2 << 62)
_SORT: Final = "line"


class TooManyImports(Conflict):
    code = "too_many_imports"
    title = "Too many of your files are waiting"
    is_retryable = True


class ImportsBusy(Unavailable):
    code = "imports_busy"
    title = "Too many files are coming in just now"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was handed in; `key` is the client's Idempotency-Key, if it sent one.

    `charset` is what the client said of it, one of `decoding.CHARSETS`.
    """

    source: bytes
    seller_id: UUID | None = None
    key: str | None = None
    charset: str = ""


@dataclass(frozen=True, slots=True)
class ImportLimits:
    max_rows: int
    max_waiting: int


class Door:
    """Lets at most `places` files into this process at once: each is held in memory whole."""

    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take a place for as long as the block lasts. Raises ImportsBusy."""
        if self._free == 0:
            raise ImportsBusy(retry_after_s=5)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def admit(database: Database, principal: Principal, seller_id: UUID | None) -> None:
    """Refuse who may not import at all, before anything is read. Raises what `submit` does."""
    await database.transact(lambda session: _owner(session, principal, seller_id))


async def submit(
    database: Database, principal: Principal, upload: Upload, limits: ImportLimits
) -> tuple[ImportOut, bool]:
    """Keep a file for the worker; the same key again answers the same job, and True.

    Raises SellerNotActive, NotFound for an unknown store or another's, TooManyImports,
    IdempotencyKeyReused, InvalidUtf8, and what `reader.check` finds wrong with the file as a whole.
    """
    job = await asyncio.to_thread(_job, principal.user_id, upload, limits.max_rows)

    async def work(session: WriteSession) -> tuple[ImportOut, bool]:
        found = await queries.import_by_id(session, job.id)
        if found is not None:
            return _replayed(found, job), True
        job.seller_id = await _owner(session, principal, upload.seller_id)
        if await queries.unfinished_imports(session, principal.user_id) >= limits.max_waiting:
            raise TooManyImports(retry_after_s=30)
        session.add(_copy(job))
        await session.flush()
        return import_out(job), False

    try:
        return await database.transact(work)
    except IntegrityError as error:
        if not is_duplicate_key(error):
            raise
        # Another request with this key was first.
        return await database.transact(work)


async def report(
    database: Database, principal: Principal, import_id: UUID, *, cursor: str | None, limit: int
) -> ImportReport:
    """Return a job with a page of its row errors. Raises NotFound, also for another's job."""
    after = None if cursor is None else _position(cursor, import_id)
    async with database.read_own_writes() as session:
        job = await queries.import_by_id(session, import_id)
        if job is None or not (principal.is_admin or job.actor_id == principal.user_id):
            raise NotFound
        errors = await queries.import_errors(session, import_id, after=after, limit=limit + 1)
    page = errors[:limit]
    return ImportReport(
        **dict(import_out(job)),
        errors=tuple(_error_out(error) for error in page),
        next_cursor=_cursor(page[-1]) if len(errors) > limit else None,
    )


def import_out(job: ProductImport) -> ImportOut:
    unchanged = job.done_rows - job.created_rows - job.updated_rows - job.failed_rows
    return ImportOut(
        id=job.id,
        seller_id=job.seller_id,
        status=job.status.value,
        total_rows=job.total_rows,
        done_rows=job.done_rows,
        created_rows=job.created_rows,
        updated_rows=job.updated_rows,
        unchanged_rows=unchanged,
        failed_rows=job.failed_rows,
        progress=job.done_rows * 100 // job.total_rows,
        failure=job.failure,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def import_id_of(user_id: UUID, key: str) -> UUID:
    """Return the job's id, the same for every attempt with the key (RFC 9562, v8)."""
    digest = hashlib.sha256(b"import\0" + user_id.bytes + key.encode()).digest()
    return UUID(int=int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62) | _VERSION_8)


def _job(user_id: UUID, upload: Upload, max_rows: int) -> ProductImport:
    """Check the file as a whole and pack it; some tens of milliseconds, so in a thread."""
    source = as_utf8(upload.source, upload.charset)
    total_rows, at = reader.check(source, max_rows=max_rows), now()
    return ProductImport(
        id=import_id_of(user_id, upload.key) if upload.key else new_id(),
        actor_id=user_id,
        status=ImportStatus.QUEUED,
        source=zlib.compress(source, _PACKING_LEVEL),
        sha256=hashlib.sha256(upload.source).digest(),
        total_rows=total_rows,
        done_rows=0,
        created_rows=0,
        updated_rows=0,
        failed_rows=0,
        attempts=0,
        created_at=at,
        updated_at=at,
    )


def _copy(job: ProductImport) -> ProductImport:
    """Return the row anew: a transaction that is run again needs one that no session knows."""
    columns = ProductImport.__table__.columns.keys()
    return ProductImport(**{name: getattr(job, name) for name in columns})


def _replayed(found: ProductImport, job: ProductImport) -> ImportOut:
    if found.sha256 != job.sha256:
        raise IdempotencyKeyReused
    return import_out(found)


async def _owner(
    session: WriteSession, principal: Principal, seller_id: UUID | None
) -> UUID | None:
    """Return whose products the file holds; None is the shop itself."""
    if seller_id is None:
        return await seller_for(session, principal)
    seller = await products.lock_seller(session, seller_id)
    if seller is None:
        raise NotFound
    await require_owner(session, principal, seller.id)
    if not seller.may_sell:
        raise SellerNotActive
    return seller.id


def _error_out(error: ProductImportError) -> RowErrorOut:
    return RowErrorOut(
        line=error.line, column=error.column_name, code=error.code, detail=error.detail
    )


def _cursor(last: ProductImportError) -> str:
    return encode_cursor(_SORT, f"{last.line}:{last.column_name}", last.import_id)


def _position(cursor: str, import_id: UUID) -> tuple[int, str]:
    value, of_import = decode_cursor(cursor, _SORT)
    line, _, column = str(value).partition(":")
    if of_import != import_id or not line.isdigit() or len(line) > 9:  # noqa: PLR2004
        raise InvalidCursor
    return int(line), column

"""CSV imports: durable jobs of the worker, and what was wrong with single rows."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BINARY, ForeignKey, Index, Integer, String, text
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps, enum_column
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime


class ImportStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ProductImport(Timestamps, Base):
    """One uploaded file. `done_rows` is where a worker that takes the job over goes on.

    A worker holds a RUNNING job until `lease_until`; `attempts` counts the workers that took it
    since its last progress. `failure` says why the rest was not done.
    `source` is the file, packed by zlib and emptied at the end; `sha256` tells it from another.
    """

    __tablename__ = "product_imports"
    __table_args__ = (
        Index("ix_product_imports_status_lease_until", "status", "lease_until"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    actor_id: Mapped[UUID] = mapped_column(Id)
    seller_id: Mapped[UUID | None] = mapped_column(Id)
    status: Mapped[ImportStatus] = mapped_column(
        enum_column(ImportStatus), default=ImportStatus.QUEUED
    )
    source: Mapped[bytes] = mapped_column(LONGBLOB, deferred=True)
    sha256: Mapped[bytes] = mapped_column(BINARY(32))
    total_rows: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    done_rows: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    created_rows: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    updated_rows: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    failed_rows: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    failure: Mapped[str | None] = mapped_column(String(255))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ProductImportError(Base):
    """What was wrong with one row of the file; `line` counts from 1 and the header is line 1."""

    __tablename__ = "product_import_errors"
    __table_args__ = (TABLE_OPTIONS,)

    import_id: Mapped[UUID] = mapped_column(Id, ForeignKey("product_imports.id"), primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    column_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String(255))

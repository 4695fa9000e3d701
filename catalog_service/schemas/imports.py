"""CSV imports on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from catalog_service.schemas.products import Description, Name
from common_lib.problems import ApiModel, LaxId, RequestModel


class ProductCells(RequestModel):
    """What a file says of a product as a whole; a status left out stays as it is."""

    name: Name
    description: Description
    category_id: LaxId
    status: Literal["DRAFT", "ACTIVE", "ARCHIVED"] | None = None


class RowErrorOut(ApiModel):
    """What is wrong with one cell; `column` is empty where the row cannot be read at all."""

    line: int
    column: str
    code: str
    detail: str


class ImportOut(ApiModel):
    """A job. `progress` is in percent; `failure` is the code of what ended the job early."""

    id: UUID
    seller_id: UUID | None
    status: str
    total_rows: int
    done_rows: int
    created_rows: int
    updated_rows: int
    unchanged_rows: int
    failed_rows: int
    progress: int
    failure: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportReport(ImportOut):
    """A job with a page of what was wrong with single rows, by line and column."""

    errors: tuple[RowErrorOut, ...]
    next_cursor: str | None

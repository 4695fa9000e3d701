"""The schema of catalog_db."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Enum
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common_lib.clock import now
from common_lib.database import UtcDateTime, new_metadata


class Base(DeclarativeBase):
    """Base of the eight business tables and of the technical ones beside them."""

    metadata = new_metadata()


class Timestamps:
    """When a row was written and last changed."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, sort_order=91)


def enum_column(kind: type[StrEnum]) -> Enum:
    """Return a native ENUM of the wire values; MySQL itself refuses any other word."""
    return Enum(kind, values_callable=lambda members: [member.value for member in members])

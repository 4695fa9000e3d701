"""Slugs that things had before: links that people kept lead on to the present ones."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, enum_column
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime


class SlugKind(StrEnum):
    """What a slug names; each kind has slugs of its own."""

    PRODUCT = "product"
    CATEGORY = "category"


class FormerSlug(Base):
    """A slug that its last owner gave up and nobody took since; `target_id` is that owner.

    It names the thing and not its next slug, so that after any number of changes it leads to the
    present one at once.
    """

    __tablename__ = "former_slugs"
    __table_args__ = (Index("ix_former_slugs_target_id", "target_id"), TABLE_OPTIONS)

    kind: Mapped[SlugKind] = mapped_column(enum_column(SlugKind), primary_key=True)
    slug: Mapped[str] = mapped_column(String(220), primary_key=True)
    target_id: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

"""Objects in the picture bucket that nothing needs any more, or perhaps never will."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, UtcDateTime


class ImageRemoval(Base):
    """An object to delete from the bucket once `due_at` has passed.

    Written before the object is stored and taken back with the row that shows it, so that no
    object is ever left without either.
    """

    __tablename__ = "image_removals"
    __table_args__ = (Index("ix_image_removals_due_at", "due_at"), TABLE_OPTIONS)

    storage_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

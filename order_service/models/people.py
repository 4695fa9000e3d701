"""Whom the shop has to forget."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from order_service.models.base import Base


class ErasedUser(Base):
    """An account that was erased. `due_at` is when its orders are gone through again.

    NULL once nothing of the person is left. The row itself names nobody.
    """

    __tablename__ = "erased_users"
    __table_args__ = (Index("ix_erased_users_due_at", "due_at"), TABLE_OPTIONS)

    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

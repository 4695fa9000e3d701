"""Where an order may be sent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.dialects.mysql import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from user_service.models.base import Base


class Address(Base):
    """One address of a user; at most one of them is the default.

    `default_for` repeats the user's id on the default address and is NULL on all others, so its
    unique key refuses a second default whatever the program does.
    """

    __tablename__ = "addresses"
    __table_args__ = (
        UniqueConstraint("default_for", name="uq_addresses_default_for"),
        CheckConstraint("CHAR_LENGTH(full_name) > 0", name="full_name_given"),
        CheckConstraint("CHAR_LENGTH(country) = 2", name="country_iso"),
        Index("ix_addresses_user_id_id", "user_id", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, ForeignKey("users.id"))
    label: Mapped[str | None] = mapped_column(String(50))
    full_name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str] = mapped_column(String(20))
    address_line1: Mapped[str] = mapped_column(String(200))
    address_line2: Mapped[str | None] = mapped_column(String(200))
    city: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(100))
    pincode: Mapped[str | None] = mapped_column(String(12))
    country: Mapped[str] = mapped_column(CHAR(2), default="IN")
    is_default: Mapped[bool] = mapped_column(default=False)
    default_for: Mapped[UUID | None] = mapped_column(
        Id, Computed("CASE WHEN is_default THEN user_id END", persisted=True)
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

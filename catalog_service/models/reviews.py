"""Reviews: one per user and product, shown once approved."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps, enum_column
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime


class ReviewStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class Review(Timestamps, Base):
    """A buyer's opinion, moderated before it is shown."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("user_id", "product_id"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_range"),
        Index("ix_reviews_product_id_status_id", "product_id", "status", "id"),
        Index("ix_reviews_status_id", "status", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, ForeignKey("products.id"))
    user_id: Mapped[UUID] = mapped_column(Id)
    rating: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[ReviewStatus] = mapped_column(
        enum_column(ReviewStatus), default=ReviewStatus.PENDING
    )
    is_verified_purchase: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=text("0")
    )
    moderation_note: Mapped[str] = mapped_column(String(500), default="", server_default=text("''"))
    moderated_by: Mapped[UUID | None] = mapped_column(Id)
    moderated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

"""Reviews: one per user and product, shown once approved."""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final
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
from common_lib.errors import Conflict

_HUNDREDTH: Final = Decimal("0.01")


class ReviewStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


# A moderator may change their mind; only the author's edit makes a review PENDING again.
MODERATION_MOVES: Final[Mapping[ReviewStatus, frozenset[ReviewStatus]]] = {
    ReviewStatus.PENDING: frozenset({ReviewStatus.APPROVED, ReviewStatus.REJECTED}),
    ReviewStatus.APPROVED: frozenset({ReviewStatus.REJECTED}),
    ReviewStatus.REJECTED: frozenset({ReviewStatus.APPROVED}),
}


class IllegalReviewMove(Conflict):
    code = "illegal_status_change"
    title = "The review cannot change to that status"


def average(stars: int, count: int) -> Decimal:
    """Return the mean of `count` ratings that add up to `stars`: two decimals, half up; 0 of none.

    Computed from the sum, because MySQL's AVG has been rounded once already.
    """
    if count == 0:
        return Decimal(0)
    return (Decimal(stars) / count).quantize(_HUNDREDTH, rounding=ROUND_HALF_UP)


class Review(Timestamps, Base):
    """A buyer's opinion, moderated before it is shown."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("user_id", "product_id"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_range"),
        Index("ix_reviews_product_id_status_id", "product_id", "status", "id"),
        Index("ix_reviews_product_id_status_rating", "product_id", "status", "rating"),
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

    def edit(self, *, rating: int, title: str, body: str, at: datetime) -> None:
        """Replace what was said; it waits for a moderator again, without the old verdict."""
        self.rating, self.title, self.body = rating, title, body
        self.status = ReviewStatus.PENDING
        self.moderation_note, self.moderated_by, self.moderated_at = "", None, None
        self.updated_at = at

    def moderate(self, verdict: ReviewStatus, *, note: str, by: UUID, at: datetime) -> None:
        """Show or hide the review. Raises IllegalReviewMove."""
        if verdict not in MODERATION_MOVES[self.status]:
            raise IllegalReviewMove
        self.status = verdict
        self.moderation_note, self.moderated_by, self.moderated_at = note, by, at
        self.updated_at = at

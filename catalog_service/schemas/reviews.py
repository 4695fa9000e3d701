"""Reviews on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common_lib.problems import ApiModel, RequestModel
from common_lib.text import ManyLines, OneLine

MAX_BODY = 10_000

Title = Annotated[str, OneLine(150, min_length=0)]
Body = Annotated[str, ManyLines(MAX_BODY)]
Note = Annotated[str, ManyLines(500, min_length=0)]


class ReviewIn(RequestModel):
    """What a buyer says of a product; plain text, shown as such."""

    rating: Annotated[int, Field(ge=1, le=5)]
    title: Title = ""
    body: Body


class VerdictIn(RequestModel):
    """What a moderator decides, and why; the note is for the author's eyes."""

    status: Literal["APPROVED", "REJECTED"]
    note: Note = ""


class ReviewOut(ApiModel):
    """A review for everybody: what was said, not who said it."""

    id: UUID
    product_id: UUID
    is_verified_purchase: bool
    rating: int
    title: str
    body: str
    created_at: datetime


class OwnReviewOut(ReviewOut):
    """A review for its author, with what became of it."""

    status: str
    moderation_note: str
    updated_at: datetime


class ModeratedReviewOut(OwnReviewOut):
    """A review for a moderator."""

    user_id: UUID
    moderated_by: UUID | None
    moderated_at: datetime | None


class RatingSummary(ApiModel):
    """The approved ratings of a product; `histogram` counts those of one star to five."""

    average: float
    count: int
    histogram: dict[str, int]


class ReviewPage(ApiModel):
    """`mine` is the caller's own review, in whatever status; null without a token or a review."""

    items: tuple[ReviewOut, ...]
    rating: RatingSummary
    mine: OwnReviewOut | None = None
    next_cursor: str | None


class ModerationPage(ApiModel):
    items: tuple[ModeratedReviewOut, ...]
    next_cursor: str | None

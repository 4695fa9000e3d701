"""What the catalog holds about one person, as the user service collects it."""

from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from catalog_service.schemas.reviews import OwnReviewOut
from catalog_service.schemas.sellers import OwnStoreOut
from common_lib.problems import ApiModel

T = TypeVar("T", bound=ApiModel)


class HeldWish(ApiModel):
    product_id: UUID
    created_at: datetime


class HeldPage(ApiModel, Generic[T]):
    """Some of it; the rest is asked for with `after`."""

    items: tuple[T, ...]
    next_after: UUID | None = None


HeldReviews = HeldPage[OwnReviewOut]
HeldWishes = HeldPage[HeldWish]
HeldStores = HeldPage[OwnStoreOut]

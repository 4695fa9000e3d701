"""What the catalog knows of one user: reviews, wishes, a store, and that the user is gone."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert

from catalog_service.models import inbox
from catalog_service.models.reviews import Review
from catalog_service.models.sellers import Seller
from catalog_service.models.wishlists import WishlistItem
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession

# An erasure is kept under the user's id beside the events that were handled, and forgotten with
# them after 14 days: no token of the user is valid for more than half an hour.
_ERASED: Final = "erased-users"


async def reviews_of_user(
    session: AnySession, user_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Review]:
    """Return a user's reviews in whatever status, by product, beyond the product named."""
    select = sa.select(Review).where(Review.user_id == user_id)
    if after is not None:
        select = select.where(Review.product_id > after)
    return (await session.scalars(select.order_by(Review.product_id).limit(limit))).all()


async def wishes_of_user(
    session: AnySession, user_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[WishlistItem]:
    """Return a user's wishes, by product, beyond the product named."""
    select = sa.select(WishlistItem).where(WishlistItem.user_id == user_id)
    if after is not None:
        select = select.where(WishlistItem.product_id > after)
    return (await session.scalars(select.order_by(WishlistItem.product_id).limit(limit))).all()


async def lock_reviews_of_user(
    session: WriteSession, user_id: UUID, limit: int
) -> Sequence[Review]:
    """Lock some of a user's reviews; no product's row may be locked after them."""
    select = (
        sa.select(Review)
        .with_hint(Review, "FORCE INDEX (uq_reviews_user_id_product_id)", dialect_name="mysql")
        .where(Review.user_id == user_id)
        .order_by(Review.product_id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(select)).all()


async def lock_store_of_user(session: WriteSession, user_id: UUID) -> Seller | None:
    select = sa.select(Seller).where(Seller.user_id == user_id).with_for_update()
    return (await session.scalars(select)).one_or_none()


async def note_erased(session: WriteSession, user_id: UUID) -> None:
    """Have the user known as gone. Safe to repeat."""
    row = insert(inbox).values(consumer=_ERASED, event_id=user_id, received_at=now())
    await session.execute(row.prefix_with("IGNORE"))


async def is_erased(session: WriteSession, user_id: UUID) -> bool:
    """Tell whether the user is known as gone by now, without waiting for an erasure under way."""
    mine = (inbox.c.consumer == _ERASED, inbox.c.event_id == user_id)
    return (await session.execute(sa.select(inbox.c.event_id).where(*mine))).first() is not None

"""What the catalog knows of one user: reviews, wishes, a store."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.reviews import Review
from catalog_service.models.sellers import Seller
from catalog_service.models.wishlists import WishlistItem
from common_lib.database import AnySession, WriteSession


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

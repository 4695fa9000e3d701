"""Reviews: those of a product, those that wait, and the rating they add up to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.products import Product, ProductStatus
from catalog_service.models.reviews import Review, ReviewStatus
from catalog_service.models.sellers import Seller
from common_lib.database import AnySession, WriteSession

# Each row by its unique key: a scan of a small table would wait for strangers' rows.
_UNVERIFY: Final = sa.text(
    "UPDATE reviews SET is_verified_purchase = 0"
    " WHERE user_id = :user_id AND product_id = :product_id AND NOT EXISTS ("
    "SELECT 1 FROM purchases p WHERE p.user_id = :user_id AND p.product_id = :product_id)"
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A product as its reviews need it; `owner_id` is the user whose store sells it."""

    status: ProductStatus
    avg_rating: Decimal
    review_count: int
    owner_id: UUID | None


async def reviewed_product(session: AnySession, product_id: UUID) -> Reviewed | None:
    select = (
        sa.select(Product.status, Product.avg_rating, Product.review_count, Seller.user_id)
        .outerjoin(Seller, Seller.id == Product.seller_id)
        .where(Product.id == product_id)
    )
    row = (await session.execute(select)).one_or_none()
    return None if row is None else Reviewed(*row)


async def review_by_author(session: AnySession, user_id: UUID, product_id: UUID) -> Review | None:
    select = sa.select(Review).where(Review.user_id == user_id, Review.product_id == product_id)
    return (await session.scalars(select)).one_or_none()


async def product_of_review(session: AnySession, review_id: UUID) -> UUID | None:
    select = sa.select(Review.product_id).where(Review.id == review_id)
    return (await session.execute(select)).scalar_one_or_none()


async def lock_review(session: WriteSession, review_id: UUID) -> Review | None:
    """Return the review with its row locked; its product's row has to be locked before."""
    select = sa.select(Review).where(Review.id == review_id).with_for_update()
    return (await session.scalars(select)).one_or_none()


async def approved_page(
    session: AnySession, product_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[Review]:
    """Return a product's approved reviews, the newest first, beyond the one named."""
    select = (
        sa.select(Review)
        .where(Review.product_id == product_id, Review.status == ReviewStatus.APPROVED)
        .order_by(Review.id.desc())
        .limit(limit)
    )
    if before is not None:
        select = select.where(Review.id < before)
    return (await session.scalars(select)).all()


async def status_page(
    session: AnySession, status: ReviewStatus, *, after: UUID | None, limit: int
) -> Sequence[Review]:
    """Return reviews in one status, the oldest first, beyond the one named."""
    select = sa.select(Review).where(Review.status == status).order_by(Review.id.asc()).limit(limit)
    if after is not None:
        select = select.where(Review.id > after)
    return (await session.scalars(select)).all()


async def histogram(session: AnySession, product_id: UUID) -> Mapping[int, int]:
    """Return how many approved reviews gave how many stars; what nobody gave is left out."""
    select = (
        sa.select(Review.rating, sa.func.count())
        .where(Review.product_id == product_id, Review.status == ReviewStatus.APPROVED)
        .group_by(Review.rating)
    )
    return dict((await session.execute(select)).all())


async def set_rating(
    session: WriteSession, product_id: UUID, *, avg_rating: Decimal, review_count: int
) -> None:
    """Write a product's rating; not through the mapper, for its version stays."""
    update = (
        sa.update(Product)
        .where(Product.id == product_id)
        .values(avg_rating=avg_rating, review_count=review_count)
        .execution_options(synchronize_session=False)
    )
    await session.execute(update)


async def unverify(session: WriteSession, user_id: UUID, product_ids: Iterable[UUID]) -> None:
    """Take the mark of a verified buyer off the user's reviews of what they no longer own."""
    rows = [{"user_id": user_id.bytes, "product_id": each.bytes} for each in product_ids]
    await session.execute(_UNVERIFY, rows)

"""Writing, moderating and showing reviews; a product's rating is that of its approved ones.

Whatever touches an approved review holds the product's row first, so ratings are recomputed one
after another. A rating is no edit: the product's version stays, and no seller's If-Match fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.products import Product, ProductStatus
from catalog_service.models.reviews import Review, ReviewStatus, average
from catalog_service.queries import reviews as queries
from catalog_service.queries.products import lock_product
from catalog_service.queries.purchases import lock_purchase
from catalog_service.queries.reviews import Reviewed
from catalog_service.schemas.reviews import (
    ModeratedReviewOut,
    ModerationPage,
    OwnReviewOut,
    RatingSummary,
    ReviewIn,
    ReviewOut,
    ReviewPage,
    VerdictIn,
)
from catalog_service.services import erasures
from catalog_service.services.products.rules import tell_of_change
from catalog_service.settings import SERVICE
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.database import AnySession, Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, Forbidden, NotFound
from common_lib.events.catalog import ReviewApproved, ReviewEvent, ReviewRejected
from common_lib.ids import new_id
from common_lib.outbox import enqueue

STARS: Final = range(1, 6)
_APPROVED: Final = "reviews"


class OwnProduct(Forbidden):
    code = "own_product"
    title = "A seller does not review the own product"


class PurchaseRequired(Forbidden):
    code = "purchase_required"
    title = "Only who has bought the product may review it"


class ReviewExists(Conflict):
    code = "review_exists"
    title = "You have reviewed this product already"


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A review after a change; `is_rating_new` says that the product's rating moved with it."""

    review: Review
    is_rating_new: bool = False


async def write(
    database: Database, principal: Principal, product_id: UUID, body: ReviewIn
) -> Review:
    """Save a buyer's review; it is shown once approved.

    Raises NotFound for a product that is not for sale, OwnProduct, PurchaseRequired, ReviewExists,
    or TokenRevoked for a buyer who was erased.
    """

    async def work(session: WriteSession) -> Review:
        product = await _on_sale(session, product_id)
        if product.owner_id == principal.user_id:
            raise OwnProduct
        if not await lock_purchase(session, principal.user_id, product_id):
            raise PurchaseRequired
        review = _new_review(principal.user_id, product_id, body)
        session.add(review)
        await erasures.ensure_none(session, principal.user_id)
        return review

    try:
        return await database.transact(work)
    except IntegrityError as error:
        if is_duplicate_key(error, "uq_reviews_user_id_product_id"):
            raise ReviewExists from error
        raise


async def edit(
    database: Database, principal: Principal, review_id: UUID, body: ReviewIn
) -> Changed:
    """Replace the author's own review; it waits for a moderator again. Raises NotFound."""

    async def work(session: WriteSession) -> Changed:
        product, review = await _lock(session, review_id)
        if review.user_id != principal.user_id:
            raise NotFound
        review.edit(rating=body.rating, title=body.title, body=body.body, at=now())
        return Changed(review, await _rate(session, product))

    return await database.transact(work)


async def delete(database: Database, principal: Principal, review_id: UUID) -> Changed:
    """Remove a review for its author or an administrator. Raises NotFound."""

    async def work(session: WriteSession) -> Changed:
        product, review = await _lock(session, review_id)
        if review.user_id != principal.user_id and not principal.is_admin:
            raise NotFound
        await session.delete(review)
        return Changed(review, await _rate(session, product))

    return await database.transact(work)


async def moderate(
    database: Database, principal: Principal, review_id: UUID, body: VerdictIn
) -> Changed:
    """Approve or reject a review; its author is told. The same verdict again changes nothing.

    Raises NotFound or IllegalReviewMove.
    """
    verdict = ReviewStatus(body.status)

    async def work(session: WriteSession) -> Changed:
        product, review = await _lock(session, review_id)
        if review.status is verdict:
            return Changed(review)
        review.moderate(verdict, note=body.note, by=principal.user_id, at=now())
        await enqueue(session, _verdict(product, review), source=SERVICE)
        return Changed(review, await _rate(session, product))

    return await database.transact(work)


async def approved(
    database: Database, product_id: UUID, page: PageRequest, *, reader: Principal | None
) -> ReviewPage:
    """Return a product's approved reviews, the newest first, and the reader's own.

    Raises NotFound for a product that is not for sale, or InvalidCursor.
    """
    before = _position(page.cursor, _APPROVED)
    async with database.read_own_writes() if reader else database.read() as session:
        product = await _on_sale(session, product_id)
        found = await queries.approved_page(
            session, product_id, before=before, limit=page.limit + 1
        )
        stars = await queries.histogram(session, product_id)
        mine = (
            await queries.review_by_author(session, reader.user_id, product_id) if reader else None
        )
    shown = found[: page.limit]
    return ReviewPage(
        items=tuple(ReviewOut(**_public(review)) for review in shown),
        rating=_summary(product, stars),
        mine=own_out(mine) if mine else None,
        next_cursor=_next(_APPROVED, shown, has_more=len(found) > page.limit),
    )


async def queue(database: Database, status: ReviewStatus, page: PageRequest) -> ModerationPage:
    """Return the reviews in one status, the oldest first. Raises InvalidCursor."""
    sort = f"{_APPROVED}:{status}"
    after = _position(page.cursor, sort)
    async with database.read_own_writes() as session:
        found = await queries.status_page(session, status, after=after, limit=page.limit + 1)
    shown = found[: page.limit]
    return ModerationPage(
        items=tuple(moderated_out(review) for review in shown),
        next_cursor=_next(sort, shown, has_more=len(found) > page.limit),
    )


async def _on_sale(session: AnySession, product_id: UUID) -> Reviewed:
    product = await queries.reviewed_product(session, product_id)
    if product is None or product.status is not ProductStatus.ACTIVE:
        raise NotFound
    return product


async def _lock(session: WriteSession, review_id: UUID) -> tuple[Product, Review]:
    """Return a review and its product with both rows locked, the product's first."""
    product_id = await queries.product_of_review(session, review_id)
    product = await lock_product(session, product_id) if product_id else None
    review = await queries.lock_review(session, review_id)
    if product is None or review is None:
        raise NotFound
    return product, review


def _verdict(product: Product, review: Review) -> ReviewEvent:
    about = {
        "user_id": review.user_id,
        "review_id": review.id,
        "product_id": product.id,
        "product_name": product.name,
    }
    if review.status is ReviewStatus.APPROVED:
        return ReviewApproved.model_validate(about)
    return ReviewRejected.model_validate(about | {"note": review.moderation_note})


async def _rate(session: WriteSession, product: Product) -> bool:
    """Compute the rating of a locked product anew; PRODUCT_UPDATED goes out if it moved."""
    await session.flush()
    stars = await queries.histogram(session, product.id)
    count = sum(stars.values())
    avg_rating = average(sum(rating * n for rating, n in stars.items()), count)
    if (avg_rating, count) == (product.avg_rating, product.review_count):
        return False
    await queries.set_rating(session, product.id, avg_rating=avg_rating, review_count=count)
    await tell_of_change(session, product)
    return True


def _new_review(user_id: UUID, product_id: UUID, body: ReviewIn) -> Review:
    at = now()
    return Review(
        id=new_id(),
        product_id=product_id,
        user_id=user_id,
        rating=body.rating,
        title=body.title,
        body=body.body,
        status=ReviewStatus.PENDING,
        is_verified_purchase=True,
        moderation_note="",
        created_at=at,
        updated_at=at,
    )


def _position(cursor: str | None, sort: str) -> UUID | None:
    return None if cursor is None else decode_cursor(cursor, sort)[1]


def _next(sort: str, shown: Sequence[Review], *, has_more: bool) -> str | None:
    return encode_cursor(sort, None, shown[-1].id) if has_more else None


def _summary(product: Reviewed, stars: Mapping[int, int]) -> RatingSummary:
    return RatingSummary(
        average=float(product.avg_rating),
        count=product.review_count,
        histogram={str(rating): stars.get(rating, 0) for rating in STARS},
    )


def own_out(review: Review) -> OwnReviewOut:
    return OwnReviewOut(**_own(review))


def moderated_out(review: Review) -> ModeratedReviewOut:
    return ModeratedReviewOut(
        **_own(review),
        user_id=review.user_id,
        moderated_by=review.moderated_by,
        moderated_at=review.moderated_at,
    )


def _public(review: Review) -> dict[str, Any]:
    return {
        "id": review.id,
        "product_id": review.product_id,
        "is_verified_purchase": review.is_verified_purchase,
        "rating": review.rating,
        "title": review.title,
        "body": review.body,
        "created_at": review.created_at,
    }


def _own(review: Review) -> dict[str, Any]:
    return _public(review) | {
        "status": review.status.value,
        "moderation_note": review.moderation_note,
        "updated_at": review.updated_at,
    }

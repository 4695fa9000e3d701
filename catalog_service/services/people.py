"""One person's data in the catalog: handed out for an export, and forgotten (ADR 0031)."""

from typing import Final
from uuid import UUID

from catalog_service.models.reviews import Review, ReviewStatus
from catalog_service.queries import people
from catalog_service.queries.products import seller_of_user
from catalog_service.queries.wishlists import delete_wishes
from catalog_service.schemas.people import HeldReviews, HeldStores, HeldWish, HeldWishes
from catalog_service.services.reviews import own_out
from catalog_service.services.sellers import own_store
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.ids import new_id

PAGE: Final = 100


async def held_reviews(database: Database, user_id: UUID, after: UUID | None) -> HeldReviews:
    async with database.read_own_writes() as session:
        found = await people.reviews_of_user(session, user_id, after=after, limit=PAGE)
    following = found[-1].product_id if len(found) == PAGE else None
    return HeldReviews(items=tuple(own_out(review) for review in found), next_after=following)


async def held_wishes(database: Database, user_id: UUID, after: UUID | None) -> HeldWishes:
    async with database.read_own_writes() as session:
        found = await people.wishes_of_user(session, user_id, after=after, limit=PAGE)
    following = found[-1].product_id if len(found) == PAGE else None
    wishes = (HeldWish(product_id=wish.product_id, created_at=wish.created_at) for wish in found)
    return HeldWishes(items=tuple(wishes), next_after=following)


async def held_stores(database: Database, user_id: UUID) -> HeldStores:
    """Return the user's store in any state, if there is one."""
    async with database.read_own_writes() as session:
        store = await seller_of_user(session, user_id)
    return HeldStores(items=(own_store(store),) if store is not None else ())


async def forget(session: WriteSession, user_id: UUID) -> None:
    """Take the person, noted as erased before, out of the catalog. Safe to repeat.

    The wishlist goes, and so do reviews that were never published. A published one stays as
    nobody's: its author becomes an id that belongs to no one. A store closes without its name; its
    products leave the shelf like those of a suspended one.
    """
    await delete_wishes(session, user_id)
    while reviews := await people.lock_reviews_of_user(session, user_id, PAGE):
        for review in reviews:
            await _orphan(session, review)
        await session.flush()
    store = await people.lock_store_of_user(session, user_id)
    if store is not None:
        store.close(now())


async def _orphan(session: WriteSession, review: Review) -> None:
    if review.status is ReviewStatus.APPROVED:
        review.user_id, review.moderation_note = new_id(), ""
    else:
        await session.delete(review)

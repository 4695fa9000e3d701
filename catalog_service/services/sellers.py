"""Stores: applying, being approved or suspended, and what is shown of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.models.slugs import slugified
from catalog_service.queries.products import seller_of_user
from catalog_service.queries.sellers import lock_seller_to_change, seller_by_id, sellers_page
from catalog_service.schemas.sellers import (
    OwnStoreOut,
    SellerOut,
    StoreEdit,
    StoreIn,
    StoreOut,
    StorePage,
)
from catalog_service.services import erasures
from catalog_service.services.store_news import tell_of_decision
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, NotFound
from common_lib.ids import new_id

_NEWEST = "newest"
# The column's 140 less the tail of the id.
_SLUG_LENGTH = 120


class SellerExists(Conflict):
    code = "seller_exists"
    title = "You have a store, or have applied for one"


async def apply(database: Database, user_id: UUID, body: StoreIn) -> OwnStoreOut:
    """Open a PENDING store for the user.

    Raises SellerExists for a second application, TokenRevoked for somebody who was erased.
    """

    async def work(session: WriteSession) -> Seller:
        seller = _new_seller(user_id, body)
        session.add(seller)
        await erasures.ensure_none(session, user_id)
        return seller

    try:
        return own_store(await database.transact(work))
    except IntegrityError as error:
        if is_duplicate_key(error, "uq_sellers_user_id"):
            raise SellerExists from None
        raise


async def listed(
    database: Database, status: SellerStatus | None, *, limit: int, cursor: str | None
) -> StorePage:
    """Return a page of stores in any state, the latest application first."""
    before = decode_cursor(cursor, _NEWEST)[1] if cursor is not None else None
    async with database.read_own_writes() as session:
        found = await sellers_page(session, status, before=before, limit=limit + 1)
    page = found[:limit]
    return StorePage(
        items=tuple(own_store(seller) for seller in page),
        next_cursor=_next_cursor(page) if len(found) > limit else None,
    )


async def shown(database: Database, seller_id: UUID, viewer: Principal | None) -> StoreOut:
    """Return an open store to everybody; one in another state to its owner and administrators.

    Raises NotFound.
    """
    async with database.read_own_writes() as session:
        seller = await seller_by_id(session, seller_id)
    if seller is None:
        raise NotFound
    if viewer is not None and (viewer.is_admin or viewer.user_id == seller.user_id):
        return own_store(seller)
    if not seller.may_sell:
        raise NotFound
    return _public_store(seller)


async def update(
    database: Database, user_id: UUID, seller_id: UUID, body: StoreEdit
) -> OwnStoreOut:
    """Change the user's own store, whatever its state; links keep leading to it.

    Raises NotFound, also for another user's store.
    """

    async def work(session: WriteSession) -> Seller:
        seller = await lock_seller_to_change(session, seller_id)
        if seller is None or seller.user_id != user_id:
            raise NotFound
        seller.store_name = body.store_name
        if body.description is not None:
            seller.description = body.description
        seller.updated_at = now()
        return seller

    return own_store(await database.transact(work))


async def set_status(database: Database, seller_id: UUID, status: SellerStatus) -> Seller:
    """Approve, suspend or reinstate a store. Safe to repeat. Raises NotFound or IllegalStoreMove.

    Its owner is told, once for each change.

    What follows from it (the owner's role, the products on the shelf) is noted in this transaction
    or can be seen from the rows, and is carried out after it.
    """

    async def work(session: WriteSession) -> Seller:
        seller = await lock_seller_to_change(session, seller_id)
        if seller is None:
            raise NotFound
        before = seller.status
        if seller.change_status(status, now()):
            await tell_of_decision(session, seller, before)
        return seller

    return await database.transact(work)


async def of_user(database: Database, user_id: UUID) -> SellerOut:
    """Return the user's store in any state. Raises NotFound."""
    async with database.read_own_writes() as session:
        seller = await seller_of_user(session, user_id)
    if seller is None:
        raise NotFound
    return SellerOut(
        id=seller.id,
        user_id=seller.user_id,
        store_name=seller.store_name,
        status=seller.status.value,
    )


def own_store(seller: Seller) -> OwnStoreOut:
    return OwnStoreOut(
        **_public_store(seller).model_dump(by_alias=False),
        user_id=seller.user_id,
        updated_at=seller.updated_at,
    )


def _public_store(seller: Seller) -> StoreOut:
    return StoreOut(
        id=seller.id,
        store_name=seller.store_name,
        slug=seller.slug,
        description=seller.description,
        status=seller.status.value,
        created_at=seller.created_at,
    )


def _new_seller(user_id: UUID, body: StoreIn) -> Seller:
    seller_id, at = new_id(), now()
    words = slugified(body.store_name, max_length=_SLUG_LENGTH) or "store"
    return Seller(
        id=seller_id,
        user_id=user_id,
        store_name=body.store_name,
        slug=f"{words}-{seller_id.hex[-8:]}",
        description=body.description,
        status=SellerStatus.PENDING,
        created_at=at,
        updated_at=at,
    )


def _next_cursor(page: Sequence[Seller]) -> str:
    return encode_cursor(_NEWEST, None, page[-1].id)

"""Wishlists, the latest wish first."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.products import Product, ProductStatus
from catalog_service.models.wishlists import WishlistItem
from catalog_service.queries.inventory import matched
from common_lib.database import AnySession, WriteSession


async def is_on_sale(session: AnySession, product_id: UUID) -> bool:
    select = sa.select(Product.status).where(Product.id == product_id)
    return (await session.execute(select)).scalar() is ProductStatus.ACTIVE


async def lock_wishes(session: WriteSession, user_id: UUID) -> set[UUID]:
    """Return the products on a user's list; as soon as there is one, additions go one by one."""
    of_user = sa.select(WishlistItem.product_id).where(WishlistItem.user_id == user_id)
    await session.execute(of_user.with_for_update())
    # Read again: a row written while the first statement waited may have been passed by it.
    return set((await session.scalars(of_user)).all())


async def wishes_page(
    session: AnySession, user_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[WishlistItem]:
    """Return a user's wishes, the latest first, beginning after the one named."""
    at, product_id = WishlistItem.created_at, WishlistItem.product_id
    select = (
        sa.select(WishlistItem)
        .where(WishlistItem.user_id == user_id)
        .order_by(at.desc(), product_id.desc())
        .limit(limit)
    )
    if before is not None:
        moment, last = before
        select = select.where(sa.or_(at < moment, sa.and_(at == moment, product_id < last)))
    return (await session.scalars(select)).all()


async def delete_wishes(
    session: WriteSession, user_id: UUID, product_id: UUID | None = None
) -> int:
    """Take one product off a user's list, or all of them; return how many there were."""
    statement = sa.delete(WishlistItem).where(WishlistItem.user_id == user_id)
    if product_id is not None:
        statement = statement.where(WishlistItem.product_id == product_id)
    done = await session.execute(statement, execution_options={"synchronize_session": False})
    return matched(done)

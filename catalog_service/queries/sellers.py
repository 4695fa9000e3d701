"""Stores, the roles their owners are owed, and what of theirs is on the shelf."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from catalog_service.models.products import Product, ProductStatus
from catalog_service.models.sellers import Seller, SellerStatus
from common_lib.database import AnySession, WriteSession, to_column

_CLAIM_ROLES: Final = sa.text(
    "SELECT id, user_id FROM sellers FORCE INDEX (ix_sellers_role_due_at)"
    " WHERE role_due_at <= :at ORDER BY role_due_at LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_LEASE_ROLES: Final = sa.text(
    "UPDATE sellers SET role_due_at = :until WHERE id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))
_END_ROLE_DUTY: Final = sa.text(
    "UPDATE sellers SET role_due_at = NULL WHERE id = :id AND role_due_at = :due_at"
)


async def seller_by_id(session: AnySession, seller_id: UUID) -> Seller | None:
    return await session.get(Seller, seller_id)


async def sellers_by_id(session: AnySession, seller_ids: Sequence[UUID]) -> Sequence[Seller]:
    """Return these stores, in id order."""
    select = sa.select(Seller).where(Seller.id.in_(seller_ids)).order_by(Seller.id)
    return (await session.scalars(select)).all()


async def lock_seller_to_change(session: WriteSession, seller_id: UUID) -> Seller | None:
    select = sa.select(Seller).where(Seller.id == seller_id).with_for_update()
    return (await session.scalars(select)).one_or_none()


async def sellers_page(
    session: AnySession, status: SellerStatus | None, *, before: UUID | None, limit: int
) -> Sequence[Seller]:
    """Return stores, the latest application first, beginning after the one named."""
    select = sa.select(Seller).order_by(Seller.id.desc()).limit(limit)
    if status is not None:
        select = select.where(Seller.status == status)
    if before is not None:
        select = select.where(Seller.id < before)
    return (await session.scalars(select)).all()


@dataclass(frozen=True, slots=True)
class RoleDuty:
    """The user service is to be told that a user sells; `due_at` tells claims apart."""

    seller_id: UUID
    user_id: UUID
    due_at: datetime


async def claim_roles(
    session: WriteSession, *, at: datetime, lease_s: float, limit: int
) -> list[RoleDuty]:
    """Take the duties that are due for `lease_s` seconds; another worker skips them."""
    parameters = {"at": to_column(at), "limit": limit}
    rows = (await session.execute(_CLAIM_ROLES, parameters)).all()
    until = at + timedelta(seconds=lease_s)
    if rows:
        values = {"until": to_column(until), "ids": [row.id for row in rows]}
        await session.execute(_LEASE_ROLES, values)
    return [RoleDuty(UUID(bytes=row.id), UUID(bytes=row.user_id), until) for row in rows]


async def end_role_duty(session: WriteSession, duty: RoleDuty) -> None:
    """Strike the duty off, unless it was claimed anew or has come up again since."""
    values = {"id": duty.seller_id.bytes, "due_at": to_column(duty.due_at)}
    await session.execute(_END_ROLE_DUTY, values)


async def sellers_with_stray_products(session: AnySession) -> list[UUID]:
    """Return suspended stores with products on sale, and active ones with hidden products."""
    on_sale = sa.exists().where(
        Product.seller_id == Seller.id, Product.status == ProductStatus.ACTIVE
    )
    hidden = sa.exists().where(Product.seller_id == Seller.id, Product.hidden_at.is_not(None))
    select = sa.union_all(
        sa.select(Seller.id).where(Seller.status == SellerStatus.SUSPENDED, on_sale),
        sa.select(Seller.id).where(Seller.status == SellerStatus.ACTIVE, hidden),
    )
    return list((await session.execute(select)).scalars())


async def lock_products_on_sale(
    session: WriteSession, seller_id: UUID, limit: int
) -> Sequence[Product]:
    """Lock and return some of a store's ACTIVE products with their variants, in id order."""
    return await _lock_some(session, seller_id, Product.status == ProductStatus.ACTIVE, limit)


async def lock_hidden_products(
    session: WriteSession, seller_id: UUID, limit: int
) -> Sequence[Product]:
    """Lock and return some of a store's hidden products with their variants, in id order."""
    return await _lock_some(session, seller_id, Product.hidden_at.is_not(None), limit)


async def _lock_some(
    session: WriteSession, seller_id: UUID, which: sa.ColumnElement[bool], limit: int
) -> Sequence[Product]:
    select = (
        sa.select(Product)
        .where(Product.seller_id == seller_id, which)
        .options(selectinload(Product.variants))
        .order_by(Product.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(select)).all()

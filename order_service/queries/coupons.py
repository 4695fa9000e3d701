"""Coupons and their redemptions."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from common_lib.database import AnySession, WriteSession
from order_service.models import Coupon, CouponRedemption


async def list_coupons(session: AnySession, before_id: UUID | None, limit: int) -> Sequence[Coupon]:
    query = sa.select(Coupon).order_by(Coupon.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Coupon.id < before_id)
    return (await session.scalars(query)).all()


async def give_back(session: WriteSession, order_id: UUID) -> None:
    """Undo an order's redemption; the deleted row makes a second time a no-op."""
    found = await session.scalars(
        sa.select(CouponRedemption).where(CouponRedemption.order_id == order_id).with_for_update()
    )
    redemption = found.one_or_none()
    if redemption is None:
        return
    await session.delete(redemption)
    await session.flush()
    await session.execute(
        sa.update(Coupon)
        .where(Coupon.id == redemption.coupon_id)
        .values(used_count=Coupon.used_count - 1)
    )

"""Addresses of one user; what changes them happens under `accounts.lock_user`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from common_lib.database import AnySession, WriteSession
from user_service.models import Address


async def addresses_of(session: AnySession, user_id: UUID) -> Sequence[Address]:
    """Return a user's addresses, the default one first, then in the order they were added."""
    found = await session.scalars(
        select(Address)
        .where(Address.user_id == user_id)
        .order_by(Address.is_default.desc(), Address.id)
    )
    return found.all()


async def address_of(session: AnySession, user_id: UUID, address_id: UUID) -> Address | None:
    """Return an address if it belongs to the user."""
    return await session.scalar(
        select(Address).where(Address.id == address_id, Address.user_id == user_id)
    )


async def count_addresses(session: AnySession, user_id: UUID) -> int:
    count = await session.scalar(
        select(func.count()).select_from(Address).where(Address.user_id == user_id)
    )
    return count or 0


async def oldest_address_of(session: AnySession, user_id: UUID) -> Address | None:
    return await session.scalar(
        select(Address).where(Address.user_id == user_id).order_by(Address.id).limit(1)
    )


async def clear_default_address(session: WriteSession, user_id: UUID, moment: datetime) -> None:
    """Take the default mark off; call it under `lock_user`, before another one gets it."""
    await session.execute(
        update(Address)
        .where(Address.user_id == user_id, Address.is_default)
        .values(is_default=False, updated_at=moment)
    )

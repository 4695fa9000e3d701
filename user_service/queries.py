"""Every SELECT and row lock of users_db, and the two set-based updates."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from common_lib.database import AnySession, WriteSession
from user_service.models import Address, RefreshToken, User


async def user_by_id(session: AnySession, user_id: UUID) -> User | None:
    return await session.get(User, user_id)


async def user_by_email(session: AnySession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def lock_user(session: WriteSession, user_id: UUID) -> User | None:
    """Lock the account's row; what one user does at the same time is put in a row by this."""
    return await session.scalar(select(User).where(User.id == user_id).with_for_update())


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


async def lock_refresh_token(session: WriteSession, token_hash: bytes) -> RefreshToken | None:
    return await session.scalar(
        select(RefreshToken).where(RefreshToken.token_hash == token_hash).with_for_update()
    )


async def family_of_session(session: AnySession, user_id: UUID, jti: UUID) -> UUID | None:
    """Return the login that an access token goes back to."""
    return await session.scalar(
        select(RefreshToken.family_id).where(
            RefreshToken.user_id == user_id, RefreshToken.jti == jti
        )
    )


async def recent_sessions_of_family(
    session: AnySession, family_id: UUID, since: datetime
) -> Sequence[UUID]:
    """Return the ids of the access tokens that may still be valid."""
    found = await session.scalars(
        select(RefreshToken.jti).where(
            RefreshToken.family_id == family_id, RefreshToken.created_at > since
        )
    )
    return found.all()


async def recent_sessions_of_user(
    session: AnySession, user_id: UUID, since: datetime
) -> Sequence[UUID]:
    found = await session.scalars(
        select(RefreshToken.jti).where(
            RefreshToken.user_id == user_id, RefreshToken.created_at > since
        )
    )
    return found.all()


async def revoke_family(session: WriteSession, family_id: UUID, moment: datetime) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=moment)
    )


async def revoke_families_of_user(session: WriteSession, user_id: UUID, moment: datetime) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=moment)
    )

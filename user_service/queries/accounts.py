"""Accounts: found, and locked."""

from uuid import UUID

from sqlalchemy import select

from common_lib.database import AnySession, WriteSession
from user_service.models import User


async def user_by_id(session: AnySession, user_id: UUID) -> User | None:
    return await session.get(User, user_id)


async def user_by_email(session: AnySession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def lock_user(session: WriteSession, user_id: UUID) -> User | None:
    """Lock the account's row; what one user does at the same time is put in a row by this."""
    return await session.scalar(select(User).where(User.id == user_id).with_for_update())

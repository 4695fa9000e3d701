"""Accounts: found, and locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from common_lib.database import AnySession, WriteSession
from user_service.models import User
from user_service.schemas.enums import UserRole, UserStatus


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which accounts a list shows; None leaves a member open. `before` is the last id seen."""

    role: UserRole | None = None
    status: UserStatus | None = None
    email_prefix: str | None = None
    before: UUID | None = None


async def user_by_id(session: AnySession, user_id: UUID) -> User | None:
    return await session.get(User, user_id)


async def user_by_email(session: AnySession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def active_among(session: AnySession, emails: Sequence[str]) -> Sequence[str]:
    """Return those of the addresses that belong to an active account."""
    wanted = User.email.in_(emails), User.status == UserStatus.ACTIVE
    return (await session.scalars(select(User.email).where(*wanted).order_by(User.email))).all()


async def hold_user(session: WriteSession, user_id: UUID) -> User | None:
    """Keep the account's row as it is until the commit; others may do so at the same time."""
    return await session.scalar(select(User).where(User.id == user_id).with_for_update(read=True))


async def role_of(session: AnySession, user_id: UUID) -> UserRole | None:
    return await session.scalar(select(User.role).where(User.id == user_id))


async def lock_user(session: WriteSession, user_id: UUID) -> User | None:
    """Lock the account's row; what one user does at the same time is put in a row by this."""
    return await session.scalar(select(User).where(User.id == user_id).with_for_update())


async def lock_two_active_admins(session: WriteSession) -> Sequence[UUID]:
    """Lock the two eldest active administrators, so that changes that could end the last one queue.

    Two are enough to know whether there is another one.
    """
    found = await session.scalars(
        select(User.id)
        .where(User.role == UserRole.ADMIN, User.status == UserStatus.ACTIVE)
        .order_by(User.id)
        .limit(2)
        .with_for_update()
    )
    return found.all()


async def newest_users(session: AnySession, wanted: UserFilter, limit: int) -> Sequence[User]:
    """Return at most `limit` accounts, newest first, older than `wanted.before`."""
    statement = select(User).order_by(User.id.desc()).limit(limit)
    if wanted.role is not None:
        statement = statement.where(User.role == wanted.role)
    if wanted.status is not None:
        statement = statement.where(User.status == wanted.status)
    if wanted.email_prefix is not None:
        statement = statement.where(User.email.startswith(wanted.email_prefix, autoescape=True))
    if wanted.before is not None:
        statement = statement.where(User.id < wanted.before)
    index = _index_for(wanted)
    if index is not None:
        statement = statement.with_hint(User, f"FORCE INDEX ({index})", dialect_name="mysql")
    return (await session.scalars(statement)).all()


def _index_for(wanted: UserFilter) -> str | None:
    """Return the index that MySQL does not find by itself.

    For a prefix it may walk all accounts backwards until enough of them fit; of the two indexes
    that begin with the role it takes the one by which it has to sort.
    """
    if wanted.email_prefix is not None:
        return "uq_users_email"
    is_by_role_alone = wanted.role is not None and wanted.status is None
    return "ix_users_role" if is_by_role_alone else None

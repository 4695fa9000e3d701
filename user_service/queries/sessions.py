"""Sessions and their refresh tokens: found, locked, ended."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from common_lib.database import AnySession, WriteSession
from user_service.models import LoginSession, RefreshToken


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
    session: AnySession, user_id: UUID, since: datetime, *, spared: UUID | None = None
) -> Sequence[UUID]:
    """Return the ids of the access tokens that may still be valid, but those of one family."""
    statement = select(RefreshToken.jti).where(
        RefreshToken.user_id == user_id, RefreshToken.created_at > since
    )
    if spared is not None:
        statement = statement.where(RefreshToken.family_id != spared)
    return (await session.scalars(statement)).all()


async def revoke_family(session: WriteSession, family_id: UUID, moment: datetime) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=moment)
    )


async def revoke_families_of_user(
    session: WriteSession, user_id: UUID, moment: datetime, *, spared: UUID | None = None
) -> None:
    statement = update(RefreshToken).where(
        RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None)
    )
    if spared is not None:
        statement = statement.where(RefreshToken.family_id != spared)
    await session.execute(statement.values(revoked_at=moment))


async def end_sessions_of_user(
    session: WriteSession, user_id: UUID, moment: datetime, *, spared: UUID | None = None
) -> None:
    statement = update(LoginSession).where(
        LoginSession.user_id == user_id, LoginSession.ended_at.is_(None)
    )
    if spared is not None:
        statement = statement.where(LoginSession.id != spared)
    await session.execute(statement.values(ended_at=moment))

"""Sessions and their refresh tokens: found, locked, ended."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, update

from common_lib.database import AnySession, WriteSession
from user_service.models import LoginSession, RefreshToken


async def lock_refresh_token(session: WriteSession, token_hash: bytes) -> RefreshToken | None:
    return await session.scalar(
        select(RefreshToken).where(RefreshToken.token_hash == token_hash).with_for_update()
    )


async def lock_session(session: WriteSession, session_id: UUID) -> LoginSession | None:
    return await session.scalar(
        select(LoginSession).where(LoginSession.id == session_id).with_for_update()
    )


async def lock_session_of_token(session: WriteSession, token_hash: bytes) -> LoginSession | None:
    """Lock the session that a refresh token belongs to, not yet the token itself."""
    family_id = await session.scalar(
        select(RefreshToken.family_id).where(RefreshToken.token_hash == token_hash)
    )
    return None if family_id is None else await lock_session(session, family_id)


async def family_of_session(
    session: AnySession, user_id: UUID, jti: UUID, since: datetime
) -> UUID | None:
    """Return the login that an access token issued after `since` goes back to."""
    return await session.scalar(
        select(RefreshToken.family_id).where(
            RefreshToken.user_id == user_id,
            RefreshToken.created_at > since,
            RefreshToken.jti == jti,
        )
    )


async def living_sessions(
    session: AnySession, user_id: UUID, moment: datetime, *, before: UUID | None, limit: int
) -> Sequence[LoginSession]:
    """Return sessions neither ended nor run out, the newest first; ids sort by time."""
    statement = select(LoginSession).where(
        LoginSession.user_id == user_id,
        LoginSession.ended_at.is_(None),
        LoginSession.expires_at > moment,
    )
    if before is not None:
        statement = statement.where(LoginSession.id < before)
    found = await session.scalars(statement.order_by(LoginSession.id.desc()).limit(limit))
    return found.all()


async def has_session_from(session: AnySession, user_id: UUID, ip_address: str) -> bool:
    """Tell whether the user has logged in from this address, as far as is remembered."""
    found = await session.scalar(
        select(
            exists().where(LoginSession.user_id == user_id, LoginSession.ip_address == ip_address)
        )
    )
    return bool(found)


async def prune_refresh_tokens(session: WriteSession, before: datetime, limit: int) -> int:
    """Delete tokens that ran out before this moment; return how many."""
    doomed = select(RefreshToken.id).where(RefreshToken.expires_at < before).limit(limit)
    ids = (await session.scalars(doomed)).all()
    await session.execute(delete(RefreshToken).where(RefreshToken.id.in_(ids)))
    return len(ids)


async def prune_sessions(session: WriteSession, before: datetime, limit: int) -> int:
    """Delete sessions that ran out before this moment; return how many."""
    doomed = select(LoginSession.id).where(LoginSession.expires_at < before).limit(limit)
    ids = (await session.scalars(doomed)).all()
    await session.execute(delete(LoginSession).where(LoginSession.id.in_(ids)))
    return len(ids)


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

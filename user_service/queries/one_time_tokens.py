"""One-time tokens, and the requests for reset links that wait for theirs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from common_lib.database import AnySession, WriteSession
from user_service.models import OneTimeToken, PasswordResetRequest, TokenPurpose


async def owner_of_token(
    session: AnySession, token_hash: bytes, purpose: TokenPurpose
) -> UUID | None:
    """Return whose token it is, used or not."""
    return await session.scalar(
        select(OneTimeToken.user_id).where(
            OneTimeToken.token_hash == token_hash, OneTimeToken.purpose == purpose
        )
    )


async def lock_token(session: WriteSession, token_hash: bytes) -> OneTimeToken | None:
    """Lock a token; its owner's row is locked before."""
    return await session.scalar(
        select(OneTimeToken).where(OneTimeToken.token_hash == token_hash).with_for_update()
    )


async def delete_open_tokens(session: WriteSession, user_id: UUID, *purposes: TokenPurpose) -> None:
    await session.execute(
        delete(OneTimeToken).where(
            OneTimeToken.user_id == user_id,
            OneTimeToken.purpose.in_(purposes),
            OneTimeToken.used_at.is_(None),
        )
    )


async def delete_expired_tokens(session: WriteSession, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` tokens and return how many."""
    doomed = select(OneTimeToken.id).where(OneTimeToken.expires_at < before).limit(limit)
    ids = (await session.scalars(doomed.with_for_update(skip_locked=True))).all()
    await session.execute(delete(OneTimeToken).where(OneTimeToken.id.in_(ids)))
    return len(ids)


async def claim_reset_request(session: WriteSession) -> PasswordResetRequest | None:
    """Lock the oldest request that nobody else is answering."""
    return await session.scalar(
        select(PasswordResetRequest)
        .order_by(PasswordResetRequest.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )

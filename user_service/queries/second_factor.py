"""Authenticators and recovery codes: found, locked, used up."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, update

from common_lib.database import AnySession, WriteSession
from user_service.models import RecoveryCode, TotpCredential


async def is_enabled(session: AnySession, user_id: UUID) -> bool:
    """Tell whether a login of this user needs a second factor."""
    confirmed = exists().where(
        TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None)
    )
    return bool(await session.scalar(select(confirmed)))


async def lock_credential(session: WriteSession, user_id: UUID) -> TotpCredential | None:
    """Lock the user's authenticator; guesses at its codes are put in a row by this."""
    return await session.scalar(
        select(TotpCredential).where(TotpCredential.user_id == user_id).with_for_update()
    )


async def use_recovery_code(
    session: WriteSession, user_id: UUID, code_hash: bytes, moment: datetime
) -> bool:
    """Use a code up; False where there is none that is unused. Call it under lock_credential."""
    code = await session.scalar(
        select(RecoveryCode).where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == code_hash,
            RecoveryCode.used_at.is_(None),
        )
    )
    if code is None:
        return False
    await session.execute(
        update(RecoveryCode).where(RecoveryCode.id == code.id).values(used_at=moment)
    )
    return True


async def delete_second_factor(session: WriteSession, user_id: UUID) -> None:
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    await session.execute(delete(TotpCredential).where(TotpCredential.user_id == user_id))

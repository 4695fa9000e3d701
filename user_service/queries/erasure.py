"""What of a person goes for good when the account is erased."""

from typing import Final
from uuid import UUID

from sqlalchemy import delete

from common_lib.database import WriteSession
from user_service.models import (
    Address,
    LoginSession,
    OneTimeToken,
    RecoveryCode,
    RefreshToken,
    TotpCredential,
)

_OWNED: Final = (Address, OneTimeToken, RecoveryCode, TotpCredential, RefreshToken, LoginSession)


async def delete_belongings(session: WriteSession, user_id: UUID) -> None:
    """Delete every row that belongs to the user; call it under `accounts.lock_user`."""
    for owned in _OWNED:
        await session.execute(delete(owned).where(owned.user_id == user_id))

"""What users_db knows of one user, but for what is secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from common_lib.database import AnySession
from user_service.models import Address, LoginSession, RecoveryCode, TotpCredential, User
from user_service.queries import accounts, addresses


@dataclass(frozen=True, slots=True)
class OwnData:
    """An account with all that belongs to it."""

    user: User
    addresses: Sequence[Address]
    sessions: Sequence[LoginSession]
    authenticator: TotpCredential | None
    unused_recovery_codes: int


async def own_data(session: AnySession, user_id: UUID) -> OwnData | None:
    user = await accounts.user_by_id(session, user_id)
    if user is None:
        return None
    logins = select(LoginSession).where(LoginSession.user_id == user_id).order_by(LoginSession.id)
    codes = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return OwnData(
        user,
        await addresses.addresses_of(session, user_id),
        (await session.scalars(logins)).all(),
        await session.get(TotpCredential, user_id),
        await session.scalar(codes) or 0,
    )

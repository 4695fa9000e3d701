"""Ending sessions: written down in the caller's transaction, told to Redis after its commit."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from common_lib.auth import ACCESS_LIFETIME_S, LEEWAY_S, Sessions
from common_lib.database import WriteSession
from user_service.queries import sessions

# An access token older than this is refused by its own expiry.
LONGEST_SESSION: Final = timedelta(seconds=ACCESS_LIFETIME_S + LEEWAY_S)


async def end_sessions(
    session: WriteSession, user_id: UUID, moment: datetime, *, spared: UUID | None = None
) -> Sequence[UUID]:
    """End all sessions of a user but the one whose id is `spared`; repeating it is safe.

    Returns the ids of the access tokens that may still be valid: `revoke` them after the commit.
    Call it under `accounts.lock_user`, so that no login comes in between.
    """
    # Sessions before their refresh tokens, as everywhere: see services/sessions.py.
    await sessions.end_sessions_of_user(session, user_id, moment, spared=spared)
    await sessions.revoke_families_of_user(session, user_id, moment, spared=spared)
    since = moment - LONGEST_SESSION
    return await sessions.recent_sessions_of_user(session, user_id, since, spared=spared)


async def revoke(live: Sessions, jtis: Iterable[UUID]) -> None:
    """Refuse these access tokens within a second; with Redis away, soon after it is back."""
    await live.revoke(*(str(jti) for jti in jtis))

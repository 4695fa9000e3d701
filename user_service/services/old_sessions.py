"""Forgetting sessions that nobody can use any more."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from common_lib.clock import now
from common_lib.database import Database, WriteSession
from user_service.queries import sessions

Clock = Callable[[], datetime]
Prune = Callable[[WriteSession, datetime, int], Awaitable[int]]

# A refresh token that is long out of date cannot be told from one that never was.
TOKENS_KEPT: Final = timedelta(days=1)
# Sessions tell which addresses an account is used from: the way that stays open to its owner while
# strangers guess.
SESSIONS_KEPT: Final = timedelta(days=30)
_AT_ONCE: Final = 1000


async def prune(database: Database, *, clock: Clock = now) -> None:
    """Delete what ran out long ago, a thousand rows in each transaction."""
    await _prune(database, sessions.prune_refresh_tokens, clock() - TOKENS_KEPT)
    await _prune(database, sessions.prune_sessions, clock() - SESSIONS_KEPT)


async def _prune(database: Database, work: Prune, before: datetime) -> None:
    while await database.transact(lambda session: work(session, before, _AT_ONCE)) == _AT_ONCE:
        pass

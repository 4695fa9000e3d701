"""The use case of erasure: the person goes, the orders stay."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis

from common_lib.auth import Principal, Sessions
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import NotFound
from common_lib.events.users import UserDeleted
from common_lib.outbox import enqueue, wake
from user_service.queries.erasure import delete_belongings
from user_service.schemas.enums import UserStatus
from user_service.services.passwords import PasswordHasher
from user_service.services.users import SOURCE, Users, lock_losing_rights


@dataclass(frozen=True, slots=True)
class Erasure:
    """Anonymises accounts (ADR 0031).

    The other services follow by USER_DELETED, which commits with it.
    """

    db: Database
    redis: Redis
    sessions: Sessions
    passwords: PasswordHasher
    users: Users

    async def erase(
        self, user_id: UUID, *, caller: Principal, caller_ip: str, password: str | None
    ) -> None:
        """Anonymise the account; its tokens end within a second. Safe to repeat.

        Whoever erases the own account proves it by the password; an administrator need not, for
        somebody else's. Raises PasswordNeeded, TooManyAttempts, LastAdministrator or NotFound.
        """
        if caller.user_id == user_id:
            await self.users.check_own_password(caller, caller_ip, password)
        unusable_hash = await self.passwords.hash(secrets.token_urlsafe())
        await self.db.transact(lambda session: _anonymise(session, user_id, unusable_hash))
        # All of them at once: no living token of the user is taken any more, by whatever session.
        await self.sessions.suspend(user_id)
        await wake(self.redis, SOURCE)


async def _anonymise(session: WriteSession, user_id: UUID, unusable_hash: str) -> None:
    user = await lock_losing_rights(session, user_id)
    if user is None:
        raise NotFound
    if user.status is UserStatus.DELETED:
        return
    await delete_belongings(session, user_id)
    user.anonymise(unusable_hash, now())
    await enqueue(session, UserDeleted(user_id=user_id), source=SOURCE)

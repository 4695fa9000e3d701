"""The use case of changing one's password while logged in."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis

from common_lib.auth import Principal, Sessions
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.events.users import PasswordChanged
from common_lib.outbox import enqueue, wake
from user_service.models import TokenPurpose, User
from user_service.queries import accounts, one_time_tokens
from user_service.schemas.credentials import PasswordRequest
from user_service.services.password_rules import PasswordRules
from user_service.services.passwords import PasswordHasher
from user_service.services.session_ends import end_sessions, revoke
from user_service.services.sessions import session_of
from user_service.services.users import SOURCE, PasswordNeeded, Users

POINTER = "/newPassword"


@dataclass(frozen=True, slots=True)
class PasswordChanges:
    db: Database
    redis: Redis
    sessions: Sessions
    passwords: PasswordHasher
    users: Users
    rules: PasswordRules

    async def change(
        self,
        wanted: PasswordRequest,
        *,
        caller: Principal,
        caller_ip: str,
        expected_versions: frozenset[int] | None,
    ) -> None:
        """Set another password. All sessions but the caller's end within a second.

        Links to reset the password end too, and the account's address is told. Raises
        PasswordNeeded, TooManyAttempts, CommonPassword, PreconditionFailed, HashingBusy or
        NotFound.
        """
        before = await self.users.check_own_password(caller, caller_ip, wanted.current_password)
        self.rules.check(wanted.new_password, before.email, before.full_name, pointer=POINTER)
        new_hash = await self.passwords.hash(wanted.new_password)

        async def work(session: WriteSession) -> Sequence[UUID]:
            user = await accounts.lock_user(session, caller.user_id)
            # Two changes at once: the second proved a password that is none any more.
            if user is None or user.password_hash != before.password_hash:
                raise PasswordNeeded
            user.check_version(expected_versions)
            await set_password(session, user, new_hash)
            spared = await session_of(session, caller)
            return await end_sessions(session, user.id, now(), spared=spared)

        ended = await self.db.transact(work)
        await revoke(self.sessions, ended)
        await wake(self.redis, SOURCE)


async def set_password(session: WriteSession, user: User, password_hash: str) -> None:
    """Give a locked account another password, end the links to reset it, and tell its address."""
    user.password_hash = password_hash
    user.touch(now())
    await one_time_tokens.delete_open_tokens(session, user.id, TokenPurpose.RESET_PASSWORD)
    notice = PasswordChanged(user_id=user.id, email=user.email, full_name=user.name_in_mails)
    await enqueue(session, notice, source=SOURCE)

"""Use cases of a forgotten password: ask for a link, be answered by the worker, follow the link.

Asking writes one row whatever the address is; whether it has an account is looked up afterwards, in
another process. So neither the answer nor the time it takes tells who is a customer here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from common_lib.auth import Sessions
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.ids import new_id
from common_lib.outbox import wake
from user_service.clients.attempts import AttemptLimiter
from user_service.models import PasswordResetRequest, TokenPurpose
from user_service.queries import accounts, one_time_tokens
from user_service.schemas.credentials import ResetRequest
from user_service.schemas.enums import UserStatus
from user_service.services.email_verification import confirm_address
from user_service.services.one_time_tokens import owner, redeem
from user_service.services.password_changes import POINTER, set_password
from user_service.services.password_rules import PasswordRules
from user_service.services.passwords import PasswordHasher
from user_service.services.session_ends import end_sessions, revoke
from user_service.services.users import SOURCE, mail_link, spend

_PURPOSE: Final = TokenPurpose.RESET_PASSWORD


@dataclass(frozen=True, slots=True)
class PasswordResets:
    """`mails` limits the links for one address, `callers` those one caller asks for."""

    db: Database
    redis: Redis
    sessions: Sessions
    passwords: PasswordHasher
    rules: PasswordRules
    mails: AttemptLimiter
    callers: AttemptLimiter

    async def ask(self, email: str, caller_ip: str) -> None:
        """Note that a link is wanted for an address. Raises TooManyAttempts."""
        await spend(self.callers, caller_ip)
        await spend(self.mails, hashlib.sha256(email.encode()).hexdigest())

        async def work(session: WriteSession) -> None:
            session.add(PasswordResetRequest(id=new_id(), email=email, created_at=now()))

        await self.db.transact(work)

    async def reset(self, wanted: ResetRequest) -> None:
        """Set the password that comes with a token. All sessions end within a second.

        Who reads the mail has proven the address too. Raises TokenNotValid, CommonPassword or
        HashingBusy; the token is then still good.
        """
        await self._judge(wanted)
        new_hash = await self.passwords.hash(wanted.new_password)

        async def work(session: WriteSession) -> Sequence[UUID]:
            user = await redeem(session, wanted.token, _PURPOSE)
            await set_password(session, user, new_hash)
            await confirm_address(session, user)
            return await end_sessions(session, user.id, now())

        ended = await self.db.transact(work)
        await revoke(self.sessions, ended)
        await wake(self.redis, SOURCE)

    async def _judge(self, wanted: ResetRequest) -> None:
        """Refuse before hashing what is going to be refused, so that it costs nothing."""
        async with self.db.read_own_writes() as session:
            user_id = await owner(session, wanted.token, _PURPOSE)
            user = await accounts.user_by_id(session, user_id)
        personal = (user.email, user.full_name) if user is not None else ()
        self.rules.check(wanted.new_password, *personal, pointer=POINTER)


@dataclass(frozen=True, slots=True)
class ResetAnswers:
    """The worker's part: links for the accounts there are, nothing for anybody else."""

    db: Database
    redis: Redis

    async def answer(self) -> int:
        """Answer all requests that wait, each in a transaction of its own; return how many."""
        answered = 0
        while await self.db.transact(_answer_oldest):
            answered += 1
        if answered:
            await wake(self.redis, SOURCE)
        return answered


async def _answer_oldest(session: WriteSession) -> bool:
    request = await one_time_tokens.claim_reset_request(session)
    if request is None:
        return False
    await session.delete(request)
    found = await accounts.user_by_email(session, request.email)
    user = await accounts.lock_user(session, found.id) if found is not None else None
    if user is not None and user.status is UserStatus.ACTIVE and user.email == request.email:
        await mail_link(session, user, _PURPOSE)
    return True

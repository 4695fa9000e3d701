"""Use cases of proving an e-mail address: ask for the link, follow it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Conflict, NotFound
from common_lib.events.users import UserVerified
from common_lib.outbox import enqueue, wake
from user_service.clients.attempts import AttemptLimiter
from user_service.models import TokenPurpose, User
from user_service.queries import accounts, one_time_tokens
from user_service.schemas.enums import UserStatus
from user_service.services.one_time_tokens import redeem
from user_service.services.users import SOURCE, mail_link, spend

_PURPOSE: Final = TokenPurpose.VERIFY_EMAIL


class AlreadyVerified(Conflict):
    code = "email_already_verified"
    title = "This e-mail address is verified already"


@dataclass(frozen=True, slots=True)
class EmailVerification:
    """`mails` limits how many links one account asks for."""

    db: Database
    redis: Redis
    mails: AttemptLimiter

    async def verify(self, secret: str) -> None:
        """Take the token from the link; USER_VERIFIED commits with it. Raises TokenNotValid."""

        async def work(session: WriteSession) -> None:
            await confirm_address(session, await redeem(session, secret, _PURPOSE))

        await self.db.transact(work)
        await wake(self.redis, SOURCE)

    async def resend(self, user_id: UUID) -> None:
        """Mail a new link; older ones end. Raises AlreadyVerified, TooManyAttempts or NotFound."""
        async with self.db.read_own_writes() as session:
            _unverified(await accounts.user_by_id(session, user_id))
        await spend(self.mails, str(user_id))

        async def work(session: WriteSession) -> None:
            user = _unverified(await accounts.lock_user(session, user_id))
            await mail_link(session, user, _PURPOSE)

        await self.db.transact(work)
        await wake(self.redis, SOURCE)


async def confirm_address(session: WriteSession, user: User) -> None:
    """Note that the owner of a locked account reads its mail; tells of it once per address."""
    await one_time_tokens.delete_open_tokens(session, user.id, _PURPOSE)
    if user.email_verified:
        return
    user.email_verified = True
    user.touch(now())
    event = UserVerified(user_id=user.id, email=user.email, full_name=user.full_name)
    await enqueue(session, event, source=SOURCE)


def _unverified(user: User | None) -> User:
    if user is None or user.status is UserStatus.DELETED:
        raise NotFound
    if user.email_verified:
        raise AlreadyVerified
    return user

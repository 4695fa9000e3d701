"""Use cases of accounts: register, read, change, and what administrators decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError

from common_lib.auth import Principal, Role, Sessions
from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, FieldError, Forbidden, NotFound, Rejected
from common_lib.events.users import (
    EmailChanged,
    EmailVerificationRequested,
    PasswordResetRequested,
    UserRegistered,
    UserTokenEvent,
)
from common_lib.ids import UserId, new_id
from common_lib.outbox import enqueue, wake
from user_service.clients.attempts import AttemptLimiter
from user_service.models import Address, TokenPurpose, User
from user_service.queries import accounts, addresses, one_time_tokens
from user_service.queries.accounts import UserFilter
from user_service.schemas.enums import UserRole, UserStatus
from user_service.schemas.users import ProfileRequest, RegisterRequest
from user_service.services.one_time_tokens import issue
from user_service.services.password_rules import PasswordRules
from user_service.services.passwords import PasswordHasher
from user_service.services.session_ends import end_sessions, revoke

SOURCE: Final = "user-service"
_LINKS: Final[Mapping[TokenPurpose, type[UserTokenEvent]]] = {
    TokenPurpose.RESET_PASSWORD: PasswordResetRequested,
    TokenPurpose.VERIFY_EMAIL: EmailVerificationRequested,
}


class EmailTaken(Conflict):
    code = "email_taken"
    title = "An account with this e-mail address exists already"


class TooManyAttempts(Rejected):
    code = "too_many_attempts"
    title = "Too many attempts; wait a while"
    is_retryable = True


class PasswordNeeded(Forbidden):
    code = "current_password_required"
    title = "This needs the current password"


class OwnAccount(Conflict):
    code = "own_account"
    title = "Administrators cannot change their own role or status"


class LastAdministrator(Conflict):
    code = "last_administrator"
    title = "The shop needs at least one active administrator"


class StatusNotSettable(Rejected):
    code = "status_not_settable"
    title = "An account is deleted by anonymising it, not by its status"


@dataclass(frozen=True, slots=True)
class Users:
    """Accounts.

    `taken` limits how often one caller learns that an e-mail address is in use, `accounts` how
    many accounts one caller opens, `guesses` wrong current passwords, `mails` to how many new
    addresses one account has links sent.
    """

    db: Database
    redis: Redis
    sessions: Sessions
    passwords: PasswordHasher
    accounts: AttemptLimiter
    taken: AttemptLimiter
    guesses: AttemptLimiter
    mails: AttemptLimiter
    rules: PasswordRules

    async def register(self, wanted: RegisterRequest, caller_ip: str) -> User:
        """Open a CUSTOMER account; it, USER_REGISTERED and the link to verify commit together.

        Raises EmailTaken, CommonPassword, TooManyAttempts or HashingBusy.
        """
        self.rules.check(wanted.password, wanted.email, wanted.full_name)
        await spend(self.accounts, caller_ip)
        user = _new_user(wanted, await self.passwords.hash(wanted.password))
        try:
            await self.db.transact(lambda session: _insert(session, user))
        except IntegrityError as error:
            await self._explain_taken(error, caller_ip)
            raise
        await wake(self.redis, SOURCE)
        return user

    async def profile(self, user_id: UUID) -> User:
        """Return an account that was not deleted. Raises NotFound."""
        async with self.db.read_own_writes() as session:
            return _living(await accounts.user_by_id(session, user_id))

    async def newest(self, wanted: UserFilter, limit: int) -> Sequence[User]:
        """Return at most `limit` accounts in whatever status, newest first."""
        async with self.db.read_own_writes() as session:
            return await accounts.newest_users(session, wanted, limit)

    async def update(
        self,
        user_id: UUID,
        change: ProfileRequest,
        *,
        caller: Principal,
        caller_ip: str,
        expected_versions: frozenset[int] | None,
    ) -> User:
        """Change the profile. Another e-mail address is unverified, and the old one is told of it.

        Raises PreconditionFailed, PasswordNeeded, TooManyAttempts, EmailTaken or NotFound.
        """
        before = await self.profile(user_id)
        before.check_version(expected_versions)
        is_proven = _changes_email(before, change)
        if is_proven:
            await self.check_own_password(caller, caller_ip, change.current_password)
            await spend(self.mails, str(user_id))

        async def work(session: WriteSession) -> User:
            user = _living(await accounts.lock_user(session, user_id))
            user.check_version(expected_versions)
            # The address may have changed since it was read above without a lock.
            if _changes_email(user, change) and not is_proven:
                raise PasswordNeeded
            await _apply(session, user, change)
            return user

        try:
            user = await self.db.transact(work)
        except IntegrityError as error:
            await self._explain_taken(error, caller_ip)
            raise
        if is_proven:
            await wake(self.redis, SOURCE)
        return user

    async def set_role(self, user_id: UUID, role: UserRole, *, by: Principal) -> User:
        """Set the role; living tokens carry it within a second. Safe to repeat.

        Raises OwnAccount, LastAdministrator or NotFound.
        """
        _refuse_own(user_id, by)
        return await self._give_role(user_id, role)

    async def make_seller(self, user_id: UUID) -> User:
        """Make a customer a seller, as the catalog asks when the user's store opens.

        Any other role stays. Living tokens carry it within a second. Safe to repeat. Raises
        NotFound for an account that does not exist or was deleted.
        """
        return await self._give_role(user_id, UserRole.SELLER, only_from=UserRole.CUSTOMER)

    async def set_status(self, user_id: UUID, status: UserStatus, *, by: Principal) -> User:
        """Suspend or reinstate; a suspended user's tokens end within a second. Safe to repeat.

        Raises OwnAccount, LastAdministrator, StatusNotSettable, IllegalStatusChange or NotFound.
        """
        _refuse_own(user_id, by)
        if status is UserStatus.DELETED:
            raise StatusNotSettable
        user, open_sessions = await self.db.transact(
            lambda session: self._move(session, user_id, status)
        )
        await revoke(self.sessions, open_sessions)
        if status is UserStatus.SUSPENDED:
            await self.sessions.suspend(user_id)
        else:
            # Not merely lifted: a token from before a demotion must not get its old role back.
            await self.sessions.override_role(user_id, Role(user.role.value))
        return user

    async def contact(self, user_id: UUID, address_id: UUID | None) -> tuple[User, Address | None]:
        """Return whom to write to and, if asked, one of the user's addresses. Raises NotFound."""
        async with self.db.read_own_writes() as session:
            user = _living(await accounts.user_by_id(session, user_id))
            if address_id is None:
                return user, None
            address = await addresses.address_of(session, user_id, address_id)
        if address is None:
            raise NotFound
        return user, address

    async def _give_role(
        self, user_id: UUID, role: UserRole, *, only_from: UserRole | None = None
    ) -> User:
        async def work(session: WriteSession) -> User:
            may_lose = only_from is None and role is not UserRole.ADMIN
            user = await _lock(session, user_id, loses_rights=may_lose)
            if user.role is not role and only_from in {None, user.role}:
                user.role = role
                user.change_access(now())
            return user

        user = await self.db.transact(work)
        if user.status is UserStatus.ACTIVE:
            await self.sessions.override_role(user_id, Role(user.role.value))
        return user

    async def _move(
        self, session: WriteSession, user_id: UUID, status: UserStatus
    ) -> tuple[User, Sequence[UUID]]:
        moment = now()
        user = await _lock(session, user_id, loses_rights=status is not UserStatus.ACTIVE)
        if user.change_status(status):
            user.change_access(moment)
        if status is UserStatus.ACTIVE:
            return user, ()
        return user, await end_sessions(session, user_id, moment)

    async def check_own_password(
        self, caller: Principal, caller_ip: str, password: str | None
    ) -> User:
        """Make the caller, also an administrator, prove to be who the token says.

        Raises PasswordNeeded or TooManyAttempts.
        """
        if password is None:
            raise PasswordNeeded
        key = f"{caller.user_id}:{caller_ip}"
        await spend(self.guesses, key)
        own = await self.profile(caller.user_id)
        if not await self.passwords.verify(password, own.password_hash):
            raise PasswordNeeded("the current password is not right")
        await self.guesses.forget(key)
        return own

    async def _explain_taken(self, error: IntegrityError, caller_ip: str) -> None:
        if not is_duplicate_key(error, "uq_users_email"):
            return
        await spend(self.taken, caller_ip)
        field = FieldError("/email", "email_taken", "this e-mail address is in use")
        raise EmailTaken(errors=[field]) from None


async def spend(limiter: AttemptLimiter, key: str) -> None:
    """Use one attempt up. Raises TooManyAttempts, saying when to come back."""
    wait_s = await limiter.take(key)
    if wait_s:
        raise TooManyAttempts(retry_after_s=wait_s)


async def lock_losing_rights(session: WriteSession, user_id: UUID) -> User | None:
    """Lock an account, in whatever status, that is about to lose its rights.

    An administrator's comes after the rows of two active ones, so that such changes queue. Raises
    LastAdministrator.
    """
    is_guarded = await accounts.role_of(session, user_id) is UserRole.ADMIN
    if is_guarded:
        await _refuse_last_admin(session, user_id)
    user = await accounts.lock_user(session, user_id)
    if user is not None and user.role is UserRole.ADMIN and not is_guarded:
        await _refuse_last_admin(session, user_id)
    return user


async def _refuse_last_admin(session: WriteSession, user_id: UUID) -> None:
    if await accounts.lock_two_active_admins(session) == [user_id]:
        raise LastAdministrator


async def _lock(session: WriteSession, user_id: UUID, *, loses_rights: bool) -> User:
    lock = lock_losing_rights if loses_rights else accounts.lock_user
    return _living(await lock(session, user_id))


async def _insert(session: WriteSession, user: User) -> None:
    session.add(user)
    await session.flush()
    await enqueue(
        session,
        UserRegistered(user_id=UserId(user.id), email=user.email, full_name=user.name_in_mails),
        source=SOURCE,
    )
    await mail_link(session, user, TokenPurpose.VERIFY_EMAIL)


async def mail_link(session: WriteSession, user: User, purpose: TokenPurpose) -> None:
    """Have a link mailed to the account's present address; older ones of this purpose end.

    Call it under `accounts.lock_user`, and wake the relay after the commit.
    """
    token = await issue(session, user, purpose)
    event = _LINKS[purpose](
        user_id=user.id,
        email=user.email,
        full_name=user.name_in_mails,
        token=token.secret,
        expires_at=token.expires_at,
    )
    await enqueue(session, event, source=SOURCE)


def _new_user(wanted: RegisterRequest, password_hash: str) -> User:
    moment = now()
    return User(
        id=new_id(),
        email=wanted.email,
        password_hash=password_hash,
        full_name=wanted.full_name,
        phone=wanted.phone,
        role=UserRole.CUSTOMER,
        status=UserStatus.ACTIVE,
        email_verified=False,
        preferences={},
        version=1,
        created_at=moment,
        updated_at=moment,
    )


def _changes_email(user: User, change: ProfileRequest) -> bool:
    return change.email is not None and change.email != user.email


async def _apply(session: WriteSession, user: User, change: ProfileRequest) -> None:
    if change.full_name is not None:
        user.full_name = change.full_name
    if "phone" in change.model_fields_set:
        user.phone = change.phone
    user.touch(now())
    if change.email is not None and _changes_email(user, change):
        await _move_to(session, user, change.email)


async def _move_to(session: WriteSession, user: User, email: str) -> None:
    """Give the account another address: what was mailed to the old one opens nothing any more."""
    notice = EmailChanged(user_id=user.id, email=user.email, full_name=user.name_in_mails)
    user.email, user.email_verified = email, False
    await session.flush()  # a taken address ends it here
    await one_time_tokens.delete_open_tokens(session, user.id, *TokenPurpose)
    await enqueue(session, notice, source=SOURCE)
    await mail_link(session, user, TokenPurpose.VERIFY_EMAIL)


def _living(user: User | None) -> User:
    if user is None or user.status is UserStatus.DELETED:
        raise NotFound
    return user


def _refuse_own(user_id: UUID, by: Principal) -> None:
    if by.user_id == user_id:
        raise OwnAccount

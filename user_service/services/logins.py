"""Use cases of logging in: by password, by the second factor after it, as a guest."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from common_lib.auth import Role, TokenRevoked, Unauthenticated
from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Forbidden
from common_lib.ids import new_id
from user_service.clients.attempts import AttemptLimiter
from user_service.models import User
from user_service.queries import accounts, second_factor, sessions
from user_service.schemas.auth import LoginRequest
from user_service.schemas.enums import UserStatus
from user_service.schemas.mfa import ProofRequest
from user_service.services.passwords import PasswordHasher
from user_service.services.second_factor import SecondFactor, Verdict
from user_service.services.sessions import Device, LoginSessions
from user_service.services.tokens import (
    PENDING_LIFETIME_S,
    IssuedTokens,
    Link,
    PendingLogin,
    Visitor,
    password_mark,
)
from user_service.services.users import spend

# Stands in for an account that does not exist, so that looking it up costs the same.
_NOBODY: Final = UUID(int=0)


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"
    title = "The e-mail address or the password is not right"


class InvalidMfaCode(Unauthenticated):
    code = "invalid_mfa_code"
    title = "The code is not right, or was used before"


class AccountSuspended(Forbidden):
    code = "account_suspended"
    title = "This account is suspended"


@dataclass(frozen=True, slots=True)
class MfaNeeded:
    """The password was right; this token and a code finish the login."""

    token: str
    expires_in_s: int = PENDING_LIFETIME_S


@dataclass(frozen=True, slots=True)
class Logins:
    """`failures` limits the guesses at one account from one address.

    `strangers` limits those at one account from all addresses that it never logged in from: many
    machines together must not guess on. Where the owner has logged in before, the way stays open,
    so that nobody can lock them out. Accounts that do not exist are counted just the same.
    """

    db: Database
    sessions: LoginSessions
    passwords: PasswordHasher
    second_factor: SecondFactor
    failures: AttemptLimiter
    strangers: AttemptLimiter
    guests: AttemptLimiter
    # Addresses that never log in, whatever their accounts say.
    refused: Collection[str] = ()

    async def login(self, given: LoginRequest, device: Device) -> IssuedTokens | MfaNeeded:
        """Check the password and begin a session, or ask for the second factor.

        An unknown account takes as long as a wrong password. Raises InvalidCredentials,
        AccountSuspended, TooManyAttempts, HashingBusy or Unavailable.
        """
        account = hashlib.sha256(given.email.encode()).hexdigest()
        await spend(self.failures, f"{account}:{device.ip_address}")
        user = await self._found(given, device, account)
        password_hash = user.password_hash if user is not None else None
        if not await self.passwords.verify(given.password, password_hash) or user is None:
            raise InvalidCredentials
        await self.failures.forget(f"{account}:{device.ip_address}")
        return await self._begin(user, device)

    async def finish(self, mfa_token: str, proof: ProofRequest, device: Device) -> IssuedTokens:
        """Finish a login with a code of the authenticator or a recovery code.

        Each pending login becomes one session at most. Raises InvalidMfaCode, TooManyAttempts,
        InvalidToken, TokenExpired, TokenRevoked, WrongTokenType or AccountSuspended.
        """
        pending = await self.sessions.tokens.read_pending(mfa_token)
        try:
            outcome = await self.db.transact(
                lambda session: self._prove(session, pending, proof, device)
            )
        except IntegrityError as error:
            if not is_duplicate_key(error):
                raise
            raise TokenRevoked("this login was finished before") from None
        if isinstance(outcome, Verdict):
            outcome.ensure_looked_at()
            raise InvalidMfaCode
        return await self.sessions.tokens.issue(*outcome)

    async def visit(self, device: Device) -> IssuedTokens:
        """Begin a guest's session, so that there can be a cart before there is an account."""
        await spend(self.guests, device.ip_address)
        visitor = Visitor(new_id(), Role.GUEST, now())

        async def work(session: WriteSession) -> Link:
            return self.sessions.open(session, visitor, device, new_id())

        return await self.sessions.tokens.issue(await self.db.transact(work), visitor)

    async def _found(self, given: LoginRequest, device: Device, account: str) -> User | None:
        async with self.db.read_own_writes() as session:
            user = await accounts.user_by_email(session, given.email)
            user_id = user.id if user is not None else _NOBODY
            is_known = await sessions.has_session_from(session, user_id, device.ip_address)
        if is_known:
            # Asked all the same: the time that an answer takes must not tell of the account.
            await self.strangers.count(account)
        else:
            await spend(self.strangers, account)
        is_refused = user is None or user.status is UserStatus.DELETED or user.email in self.refused
        return None if is_refused else user

    async def _begin(self, checked: User, device: Device) -> IssuedTokens | MfaNeeded:
        async def work(session: WriteSession) -> tuple[Link, Visitor] | MfaNeeded:
            user = await _unchanged(session, checked.id, password_mark(checked))
            if await second_factor.is_enabled(session, user.id):
                return MfaNeeded(self.sessions.tokens.pending(user))
            visitor = Visitor.of(user)
            return self.sessions.open(session, visitor, device, new_id()), visitor

        begun = await self.db.transact(work)
        if isinstance(begun, MfaNeeded):
            return begun
        return await self.sessions.tokens.issue(*begun)

    async def _prove(
        self, session: WriteSession, pending: PendingLogin, proof: ProofRequest, device: Device
    ) -> tuple[Link, Visitor] | Verdict:
        user = await _unchanged(session, pending.user_id, pending.password_mark)
        verdict = await self.second_factor.check(session, user.id, proof)
        if not verdict.is_right:
            return verdict
        visitor = Visitor.of(user)
        link = self.sessions.open(session, visitor, device, pending.session_id)
        return link, visitor


async def _unchanged(session: WriteSession, user_id: UUID, mark: str) -> User:
    """Return the account, held as it is until the session has begun.

    A password that was changed while the old one was being checked lets nobody in. Raises
    InvalidCredentials or AccountSuspended.
    """
    user = await accounts.hold_user(session, user_id)
    if user is None or user.status is UserStatus.DELETED or password_mark(user) != mark:
        raise InvalidCredentials
    if user.status is UserStatus.SUSPENDED:
        raise AccountSuspended
    return user

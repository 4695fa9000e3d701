"""Use cases of sessions: log in, refresh, log out, visit as a guest."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from common_lib.auth import (
    ACCESS_LIFETIME_S,
    REFRESH_TYPE,
    InvalidToken,
    Principal,
    Role,
    Sessions,
    Signing,
    TokenExpired,
    TokenRevoked,
    TokenSigner,
    Unauthenticated,
)
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Forbidden, Unavailable
from common_lib.ids import new_id
from user_service.clients.attempts import AttemptLimiter
from user_service.models import RefreshToken, User
from user_service.queries import accounts, sessions
from user_service.schemas.auth import LoginRequest
from user_service.schemas.enums import UserStatus
from user_service.services.passwords import PasswordHasher
from user_service.services.session_ends import LONGEST_SESSION
from user_service.services.users import spend

log = structlog.get_logger(__name__)

_SECRET_BYTES: Final = 32


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"
    title = "The e-mail address or the password is not right"


class AccountSuspended(Forbidden):
    code = "account_suspended"
    title = "This account is suspended"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom tokens are issued to: an account, or a guest without one."""

    id: UUID
    role: Role
    since: datetime
    account: User | None = None

    @classmethod
    def of(cls, user: User) -> "Visitor":
        return cls(user.id, Role(user.role.value), user.created_at, user)


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    access_token: str
    refresh_token: str
    expires_in_s: int
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class _Link:
    """A refresh token about to be given out, and the row that remembers it."""

    secret: str
    row: RefreshToken


@dataclass(frozen=True, slots=True)
class Auth:
    """Sessions. A login begins a family of refresh tokens, each of which works once."""

    db: Database
    sessions: Sessions
    signer: TokenSigner
    refresh_key: Signing
    passwords: PasswordHasher
    failures: AttemptLimiter
    guests: AttemptLimiter
    refresh_lifetime: timedelta

    async def login(self, given: LoginRequest, caller_ip: str) -> IssuedTokens:
        """Check the password and begin a session.

        An unknown account takes as long as a wrong password. Raises InvalidCredentials,
        AccountSuspended, TooManyAttempts, HashingBusy or Unavailable.
        """
        key = f"{hashlib.sha256(given.email.encode()).hexdigest()}:{caller_ip}"
        await spend(self.failures, key)
        user = await self._checked(given)
        await self.failures.forget(key)
        if user.status is UserStatus.SUSPENDED:
            raise AccountSuspended
        return await self._begin(Visitor.of(user))

    async def visit(self, caller_ip: str) -> IssuedTokens:
        """Begin a guest's session, so that there can be a cart before there is an account."""
        await spend(self.guests, caller_ip)
        return await self._begin(Visitor(new_id(), Role.GUEST, now()))

    async def refresh(self, secret: str) -> IssuedTokens:
        """Exchange a refresh token for new tokens.

        A token that was exchanged before ends its whole family: one of the two holders stole it.
        Raises InvalidToken, TokenExpired or TokenRevoked.
        """
        token_hash = _hash(secret)
        outcome = await self.db.transact(lambda session: self._rotate(session, token_hash))
        if isinstance(outcome, _Theft):
            await self._end(outcome.open_sessions)
            raise TokenRevoked("this refresh token was used before")
        link, visitor = outcome
        return await self._issue(link, visitor)

    async def logout(self, principal: Principal) -> None:
        """End the caller's session everywhere within a second. Safe to repeat."""

        async def work(session: WriteSession) -> Sequence[UUID]:
            jti = UUID(principal.session_id)
            family_id = await sessions.family_of_session(session, principal.user_id, jti)
            if family_id is None:
                return (jti,)
            return await self._revoke(session, family_id)

        await self._end(await self.db.transact(work))

    async def logout_all(self, principal: Principal) -> None:
        """End all sessions of the caller. Safe to repeat."""

        async def work(session: WriteSession) -> Sequence[UUID]:
            moment = now()
            await sessions.revoke_families_of_user(session, principal.user_id, moment)
            since = moment - LONGEST_SESSION
            return await sessions.recent_sessions_of_user(session, principal.user_id, since)

        await self._end(await self.db.transact(work))

    async def _checked(self, given: LoginRequest) -> User:
        async with self.db.read_own_writes() as session:
            user = await accounts.user_by_email(session, given.email)
        password_hash = user.password_hash if user is not None else None
        fits = await self.passwords.verify(given.password, password_hash)
        if user is None or not fits or user.status is UserStatus.DELETED:
            raise InvalidCredentials
        return user

    async def _begin(self, visitor: Visitor) -> IssuedTokens:
        link = self._new_link(visitor, family_id=new_id())

        async def work(session: WriteSession) -> None:
            session.add(link.row)

        await self.db.transact(work)
        return await self._issue(link, visitor)

    async def _rotate(
        self, session: WriteSession, token_hash: bytes
    ) -> "tuple[_Link, Visitor] | _Theft":
        moment = now()
        old = await sessions.lock_refresh_token(session, token_hash)
        if old is None:
            raise InvalidToken("this refresh token is not known")
        if old.rotated_at is not None:
            return _Theft(await self._revoke(session, old.family_id))
        if old.revoked_at is not None:
            raise TokenRevoked
        if old.expires_at <= moment:
            raise TokenExpired("the refresh token has expired")
        visitor = await _visitor_of(session, old)
        old.rotated_at = moment
        link = self._new_link(visitor, family_id=old.family_id)
        session.add(link.row)
        return link, visitor

    def _new_link(self, visitor: Visitor, *, family_id: UUID) -> _Link:
        moment = now()
        secret = self._refresh_token(moment)
        row = RefreshToken(
            id=new_id(),
            user_id=visitor.id,
            is_guest=visitor.account is None,
            family_id=family_id,
            token_hash=_hash(secret),
            jti=new_id(),
            created_at=moment,
            expires_at=moment + self.refresh_lifetime,
        )
        return _Link(secret, row)

    def _refresh_token(self, moment: datetime) -> str:
        """Return a token nobody can guess, typed so that it is never taken for an access token."""
        claims = {
            "jti": secrets.token_urlsafe(_SECRET_BYTES),
            "iat": int(moment.timestamp()),
            "exp": int((moment + self.refresh_lifetime).timestamp()),
        }
        return self.refresh_key.sign(claims, REFRESH_TYPE)

    async def _issue(self, link: _Link, visitor: Visitor) -> IssuedTokens:
        session_id = str(link.row.jti)
        access = self.signer.access(visitor.id, visitor.role, session_id)
        try:
            await self.sessions.start(session_id)
        except Unavailable:
            # Only a revocation has to be written down; a session that Redis does not know is live.
            log.warning("session.not_recorded")
        return IssuedTokens(access, link.secret, ACCESS_LIFETIME_S, visitor)

    async def _revoke(self, session: WriteSession, family_id: UUID) -> Sequence[UUID]:
        moment = now()
        await sessions.revoke_family(session, family_id, moment)
        since = moment - LONGEST_SESSION
        return await sessions.recent_sessions_of_family(session, family_id, since)

    async def _end(self, session_ids: Sequence[UUID]) -> None:
        for session_id in session_ids:
            await self.sessions.revoke(str(session_id))


@dataclass(frozen=True, slots=True)
class _Theft:
    """A refresh token came a second time; these access tokens may still be alive."""

    open_sessions: Sequence[UUID]


async def _visitor_of(session: WriteSession, token: RefreshToken) -> Visitor:
    if token.is_guest:
        return Visitor(token.user_id, Role.GUEST, token.created_at)
    user = await accounts.user_by_id(session, token.user_id)
    if user is None or user.status is not UserStatus.ACTIVE:
        raise TokenRevoked
    return Visitor.of(user)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

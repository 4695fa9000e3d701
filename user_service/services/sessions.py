"""Use cases of sessions: renew one, look at one's devices, end them.

Whatever changes a session locks its row first, before its refresh tokens, so that a renewal and
an end that meet come one after the other and no token is left alive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from common_lib.auth import InvalidToken, Principal, Role, Sessions, TokenExpired, TokenRevoked
from common_lib.clock import now
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.database import AnySession, Database, WriteSession
from common_lib.errors import NotFound
from user_service.models import LoginSession, RefreshToken
from user_service.models.sessions import USER_AGENT_LENGTH
from user_service.queries import accounts, sessions
from user_service.schemas.enums import UserStatus
from user_service.services.session_ends import LONGEST_SESSION, end_sessions, revoke
from user_service.services.tokens import IssuedTokens, Link, Tokens, Visitor, hash_of

_NEWEST_FIRST: Final = "-id"


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from, as far as a list of sessions shows it."""

    ip_address: str
    user_agent: str = ""

    @property
    def label(self) -> str:
        """The user agent, made fit to be stored and shown."""
        shown = "".join(letter for letter in self.user_agent if letter.isprintable())
        return shown[:USER_AGENT_LENGTH]


@dataclass(frozen=True, slots=True)
class Devices:
    """A page of a user's sessions; `current_id` is the one that asked."""

    items: Sequence[LoginSession]
    current_id: UUID | None
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Theft:
    """A refresh token came a second time; these access tokens may still be alive."""

    open_jtis: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class LoginSessions:
    """A session begins with a login and is a family of refresh tokens, each of which works once."""

    db: Database
    live: Sessions
    tokens: Tokens

    def open(
        self, session: WriteSession, visitor: Visitor, device: Device, session_id: UUID
    ) -> Link:
        """Write a new session and its first refresh token down, in the caller's transaction."""
        moment = now()
        link = self.tokens.link(visitor, family_id=session_id, moment=moment)
        row = LoginSession(
            id=session_id,
            user_id=visitor.id,
            is_guest=visitor.account is None,
            created_at=moment,
        )
        _note_use(row, link, device, moment)
        session.add_all([row, link.row])
        return link

    async def refresh(self, secret: str, device: Device) -> IssuedTokens:
        """Exchange a refresh token for new tokens.

        A token that was exchanged before ends its whole session, also when both came at the same
        moment: one of the two holders stole it (RFC 9700, 4.14.2). Raises InvalidToken,
        TokenExpired or TokenRevoked.
        """
        outcome = await self.db.transact(lambda session: self._rotate(session, secret, device))
        if isinstance(outcome, _Theft):
            await revoke(self.live, outcome.open_jtis)
            raise TokenRevoked("this refresh token was used before")
        return await self.tokens.issue(*outcome)

    async def of_user(self, principal: Principal, cursor: str | None, limit: int) -> Devices:
        """Return a page of the caller's sessions that are alive, the newest first."""
        before = decode_cursor(cursor, _NEWEST_FIRST)[1] if cursor else None
        async with self.db.read_own_writes() as session:
            current_id = await session_of(session, principal)
            found = await sessions.living_sessions(
                session, principal.user_id, now(), before=before, limit=limit + 1
            )
        items = found[:limit]
        is_last = len(found) <= limit
        return Devices(
            items,
            current_id,
            None if is_last else encode_cursor(_NEWEST_FIRST, None, items[-1].id),
        )

    async def end(self, principal: Principal, session_id: UUID) -> None:
        """End one of the caller's sessions within a second. Safe to repeat. Raises NotFound."""

        async def work(session: WriteSession) -> Sequence[UUID]:
            found = await sessions.lock_session(session, session_id)
            if found is None or found.user_id != principal.user_id:
                raise NotFound
            return await _end(session, found)

        await revoke(self.live, await self.db.transact(work))

    async def logout(self, principal: Principal) -> None:
        """End the session that the caller's token belongs to within a second. Safe to repeat."""

        async def work(session: WriteSession) -> Sequence[UUID]:
            session_id = await session_of(session, principal)
            found = await sessions.lock_session(session, session_id) if session_id else None
            return await _end(session, found) if found is not None else ()

        await self.live.revoke(principal.session_id, *map(str, await self.db.transact(work)))

    async def logout_all(self, principal: Principal) -> None:
        """End all sessions of the caller within a second. Safe to repeat."""

        async def work(session: WriteSession) -> Sequence[UUID]:
            await accounts.lock_user(session, principal.user_id)
            return await end_sessions(session, principal.user_id, now())

        await revoke(self.live, await self.db.transact(work))

    async def _rotate(
        self, session: WriteSession, secret: str, device: Device
    ) -> tuple[Link, Visitor] | _Theft:
        moment, token_hash = now(), hash_of(secret)
        row = await sessions.lock_session_of_token(session, token_hash)
        old = await sessions.lock_refresh_token(session, token_hash)
        if row is None or old is None:
            raise InvalidToken("this refresh token is not known")
        if old.rotated_at is not None:
            return _Theft(await _end(session, row))
        _ensure_alive(old, moment)
        visitor = await _visitor_of(session, old)
        old.rotated_at = moment
        link = self.tokens.link(visitor, family_id=row.id, moment=moment)
        session.add(link.row)
        _note_use(row, link, device, moment)
        return link, visitor


def _note_use(row: LoginSession, link: Link, device: Device, moment: datetime) -> None:
    row.ip_address, row.user_agent = device.ip_address, device.label
    row.last_used_at, row.expires_at = moment, link.row.expires_at


def _ensure_alive(token: RefreshToken, moment: datetime) -> None:
    if token.revoked_at is not None:
        raise TokenRevoked
    if token.expires_at <= moment:
        raise TokenExpired("the refresh token has expired")


async def session_of(session: AnySession, principal: Principal) -> UUID | None:
    """Return the session of the caller's token, None for one that no login gave out."""
    try:
        jti = UUID(principal.session_id)
    except ValueError:
        return None
    since = now() - LONGEST_SESSION
    return await sessions.family_of_session(session, principal.user_id, jti, since)


async def _end(session: WriteSession, row: LoginSession) -> Sequence[UUID]:
    """End a locked session; return the ids of its access tokens that may still be valid."""
    moment = now()
    if row.ended_at is None:
        row.ended_at = moment
        await sessions.revoke_family(session, row.id, moment)
    return await sessions.recent_sessions_of_family(session, row.id, moment - LONGEST_SESSION)


async def _visitor_of(session: WriteSession, token: RefreshToken) -> Visitor:
    if token.is_guest:
        return Visitor(token.user_id, Role.GUEST, token.created_at)
    user = await accounts.user_by_id(session, token.user_id)
    if user is None or user.status is not UserStatus.ACTIVE:
        raise TokenRevoked
    return Visitor.of(user)

"""What a login gives out: access and refresh tokens, and the token of a login half done."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import jwt
import structlog

from common_lib.auth import (
    ACCESS_LIFETIME_S,
    ALGORITHM,
    MAX_TOKEN_LENGTH,
    REFRESH_TYPE,
    InvalidToken,
    KeySource,
    Role,
    Sessions,
    TokenExpired,
    TokenSigner,
    WrongTokenType,
)
from common_lib.clock import now
from common_lib.errors import Unavailable
from common_lib.ids import new_id
from user_service.models import RefreshToken, User

log = structlog.get_logger(__name__)

PENDING_TYPE: Final = "mfa+jwt"
PENDING_LIFETIME_S: Final = 5 * 60
_SECRET_BYTES: Final = 32


class Signs(Protocol):
    def sign(self, claims: Mapping[str, Any], token_type: str) -> str: ...


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
class Link:
    """A refresh token about to be given out, and the row that remembers it."""

    secret: str
    row: RefreshToken


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login whose password was right and whose second factor is still to come.

    `session_id` is the session it may become, once; `password_mark` tells whether the password is
    still the one that was given.
    """

    user_id: UUID
    session_id: UUID
    password_mark: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Signs with the user service's key; `keys` holds those it signed with lately."""

    live: Sessions
    signer: TokenSigner
    key: Signs
    keys: KeySource
    issuer: str
    refresh_lifetime: timedelta

    def link(self, visitor: Visitor, *, family_id: UUID, moment: datetime) -> Link:
        """Make the next refresh token of a session."""
        secret = self._refresh_token(moment)
        row = RefreshToken(
            id=new_id(),
            user_id=visitor.id,
            is_guest=visitor.account is None,
            family_id=family_id,
            token_hash=hash_of(secret),
            jti=new_id(),
            created_at=moment,
            expires_at=moment + self.refresh_lifetime,
        )
        return Link(secret, row)

    async def issue(self, link: Link, visitor: Visitor) -> IssuedTokens:
        """Sign the access token that belongs to a refresh token already written down."""
        session_id = str(link.row.jti)
        access = self.signer.access(visitor.id, visitor.role, session_id)
        try:
            await self.live.start(session_id)
        except Unavailable:
            # Only a revocation has to be written down; a session that Redis does not know is live.
            log.warning("session.not_recorded")
        return IssuedTokens(access, link.secret, ACCESS_LIFETIME_S, visitor)

    def pending(self, user: User) -> str:
        """Return a token that together with the second factor begins one session."""
        moment = int(now().timestamp())
        claims = {
            "iss": self.issuer,
            # Nobody else is to take it, whatever they overlook.
            "aud": self.issuer,
            "sub": str(user.id),
            "jti": str(new_id()),
            "pwd": password_mark(user),
            "iat": moment,
            "exp": moment + PENDING_LIFETIME_S,
        }
        return self.key.sign(claims, PENDING_TYPE)

    async def read_pending(self, token: str) -> PendingLogin:
        """Check such a token. Raises InvalidToken, TokenExpired or WrongTokenType."""
        claims = await self._claims(token)
        try:
            return PendingLogin(UUID(claims["sub"]), UUID(claims["jti"]), str(claims["pwd"]))
        except (KeyError, ValueError, AttributeError):
            raise InvalidToken from None

    async def _claims(self, token: str) -> Mapping[str, Any]:
        key = await self.keys.key(_key_id(token))
        if key is None:
            raise InvalidToken
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.issuer,
                issuer=self.issuer,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the login took too long: begin it again") from None
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise InvalidToken from None
        return claims

    def _refresh_token(self, moment: datetime) -> str:
        """Return a token nobody can guess, typed so that it is never taken for an access token."""
        claims = {
            "jti": secrets.token_urlsafe(_SECRET_BYTES),
            "iat": int(moment.timestamp()),
            "exp": int((moment + self.refresh_lifetime).timestamp()),
        }
        return self.key.sign(claims, REFRESH_TYPE)


def hash_of(secret: str) -> bytes:
    """Return what is kept of a secret that is itself too long to be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def password_mark(user: User) -> str:
    """Return a value that changes with the password and tells nothing about it."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def _key_id(token: str) -> str:
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise InvalidToken from None
    if header.get("alg") != ALGORITHM:
        raise InvalidToken
    if header.get("typ") != PENDING_TYPE:
        raise WrongTokenType("this is not the token of a login half done")
    return str(header.get("kid", ""))

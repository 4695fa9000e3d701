"""Access tokens of people and 60-second tokens of services: issued and checked."""

import base64
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from common_lib.auth.keys import ALGORITHM, KeySource, Signing, base64url
from common_lib.auth.principals import (
    InvalidToken,
    Principal,
    Role,
    TokenExpired,
    WrongTokenType,
)
from common_lib.clock import now
from common_lib.ids import UserId

ACCESS_TYPE: Final = "at+jwt"
REFRESH_TYPE: Final = "rt+jwt"
SERVICE_TYPE: Final = "service+jwt"
ACCESS_LIFETIME_S: Final = 30 * 60
SERVICE_LIFETIME_S: Final = 60
LEEWAY_S: Final = 30
MAX_TOKEN_LENGTH: Final = 4096
_MAX_CACHED_TOKENS: Final = 20_000
# Base64url without padding, spaces or spare bits (RFC 7515, 2 and 5.2): an ES256 signature is 64
# bytes. Decoders skip what they do not know, so one signature could be written in many ways.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
_HEADER: Final = frozenset({"alg", "kid", "typ"})


class TokenSigner:
    """Issues access tokens; held by the user service alone."""

    def __init__(self, key: Signing, *, issuer: str, audience: str) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience

    def access(
        self, user_id: UUID, role: Role, session_id: str, *, lifetime_s: int = ACCESS_LIFETIME_S
    ) -> str:
        issued_at = int(now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "jti": session_id,
            "role": role.value,
            "iat": issued_at,
            "exp": issued_at + lifetime_s,
        }
        return self._key.sign(claims, ACCESS_TYPE)


class TokenVerifier:
    """Checks access tokens. A token seen before is looked up; its expiry is still checked."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._seen: OrderedDict[str, Principal] = OrderedDict()
        self._revision = keys.revision

    def known(self, token: str) -> Principal | None:
        """Return the caller of a token checked before, without waiting; None if it is new."""
        if self._keys.revision != self._revision:
            self._revision = self._keys.revision
            self._seen.clear()
        principal = self._seen.get(token)
        if principal is not None and time.time() > principal.expires_at + LEEWAY_S:
            raise TokenExpired
        return principal

    async def verify(self, token: str) -> Principal:
        """Return the caller. Raises InvalidToken, TokenExpired or WrongTokenType."""
        principal = self.known(token)
        if principal is None:
            principal = _principal(await self._checked(token))
            self._remember(token, principal)
        return principal

    async def _checked(self, token: str) -> dict[str, Any]:
        header = _header(token)
        if header.get("typ") != ACCESS_TYPE:
            raise WrongTokenType
        key = await self._keys.key(str(header.get("kid", "")))
        if key is None:
            raise InvalidToken
        return _decode(
            token, key, audience=self._audience, issuer=self._issuer, lifetime_s=ACCESS_LIFETIME_S
        )

    def _remember(self, token: str, principal: Principal) -> None:
        self._seen[token] = principal
        if len(self._seen) > _MAX_CACHED_TOKENS:
            self._seen.popitem(last=False)


class ServiceTokens:
    """Issues and checks the tokens with which services call each other."""

    def __init__(self, key: Signing, service: str) -> None:
        self._key = key
        self._revision = key.revision
        self._service = service
        self._issued: dict[str, tuple[float, str]] = {}
        self._seen: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def issue(self, audience: str) -> str:
        """Return a token for `audience`, signed anew when less than half of its life is left."""
        self._forget_if_a_key_was_dropped()
        ready = self._issued.get(audience)
        if ready is not None and ready[0] - time.time() > SERVICE_LIFETIME_S / 2:
            return ready[1]
        issued_at = int(time.time())
        claims = {
            "iss": self._service,
            "sub": self._service,
            "aud": audience,
            "jti": base64url(hashlib.sha256(f"{audience}{time.time_ns()}".encode()).digest()[:12]),
            "iat": issued_at,
            "exp": issued_at + SERVICE_LIFETIME_S,
        }
        token = self._key.sign(claims, SERVICE_TYPE)
        self._issued[audience] = (float(issued_at + SERVICE_LIFETIME_S), token)
        return token

    def verify(self, token: str) -> str:
        """Return the calling service. Raises InvalidToken, TokenExpired or WrongTokenType."""
        self._forget_if_a_key_was_dropped()
        seen = self._seen.get(token)
        if seen is not None and time.time() <= seen[0] + LEEWAY_S:
            return seen[1]
        claims = _decode(
            token,
            self._key_of(token),
            audience=self._service,
            issuer=None,
            lifetime_s=SERVICE_LIFETIME_S,
        )
        self._seen[token] = (float(claims["exp"]), str(claims["sub"]))
        if len(self._seen) > _MAX_CACHED_TOKENS:
            self._seen.popitem(last=False)
        return str(claims["sub"])

    def _key_of(self, token: str) -> ec.EllipticCurvePublicKey:
        header = _header(token)
        if header.get("typ") != SERVICE_TYPE:
            raise WrongTokenType
        key = self._key.find(header.get("kid", ""))
        if key is None:
            raise InvalidToken
        return key

    def _forget_if_a_key_was_dropped(self) -> None:
        if self._key.revision != self._revision:
            self._revision = self._key.revision
            self._issued.clear()
            self._seen.clear()


def _header(token: str) -> dict[str, Any]:
    """Return the unverified header. Raises InvalidToken unless it names ES256 and a key's id.

    No other parameter is taken: `jwk`, `jku` and `x5u` bring a key along, `crit` and `b64` change
    what is signed (RFC 7515, 4.1; RFC 7797).
    """
    if len(token) > MAX_TOKEN_LENGTH or _COMPACT.fullmatch(token) is None:
        raise InvalidToken
    try:
        header = jwt.get_unverified_header(token)
        _ensure_said_once(token.partition(".")[0])
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise InvalidToken from None
    if header.get("alg") != ALGORITHM or not header.keys() <= _HEADER:
        raise InvalidToken
    return header


def _ensure_said_once(segment: str) -> None:
    """Raise ValueError for JSON that names a member twice: readers differ in which one they take.

    RFC 7515, 4 and RFC 7519, 4 leave the choice to the reader.
    """
    json.loads(base64.urlsafe_b64decode(segment + "=="), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _decode(
    token: str,
    key: ec.EllipticCurvePublicKey,
    *,
    audience: str,
    issuer: str | None,
    lifetime_s: int,
) -> dict[str, Any]:
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_S,
            # PyJWT accepts a token without `exp` unless it is named here.
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti"],
                "strict_aud": True,
            },
        )
        _ensure_said_once(token.split(".")[1])
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        raise InvalidToken from None
    _ensure_short_lived(claims, lifetime_s)
    return claims


def _ensure_short_lived(claims: Mapping[str, Any], lifetime_s: int) -> None:
    """Raise InvalidToken for a token that could outlive its revocation, which is kept as long.

    Times are whole seconds: PyJWT would read "1e9", 1.5 and true, too.
    """
    issued_at, expires_at = claims["iat"], claims["exp"]
    are_seconds = type(issued_at) is int and type(expires_at) is int
    if not are_seconds or expires_at - issued_at > lifetime_s:
        raise InvalidToken


def _principal(claims: Mapping[str, Any]) -> Principal:
    try:
        return Principal(
            user_id=UserId(_written_as_issued(claims["sub"])),
            role=Role(claims["role"]),
            session_id=str(claims["jti"]),
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
        )
    except (KeyError, ValueError, AttributeError):
        raise InvalidToken from None


def _written_as_issued(subject: str) -> UUID:
    """Return the id; UUID itself reads braces, capitals and urn: too. Raises ValueError."""
    user_id = UUID(subject)
    if str(user_id) != subject or user_id.int == 0:
        raise ValueError("not an id as we write it")
    return user_id

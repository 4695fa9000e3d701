"""Who is calling: access tokens of people, 60-second tokens of services, and revocation.

Access tokens are JWTs signed with ES256 and typed `at+jwt` (RFC 9068); every service checks them
itself against the user service's JWKS. Service tokens are typed `service+jwt` and name the called
service as their audience, so that one taken from a log opens nothing else and not for long.
"""

import asyncio
import base64
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, cast
from uuid import UUID

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import Depends, Request
from redis.asyncio import Redis
from redis.exceptions import RedisError

from common_lib.clock import now
from common_lib.errors import Forbidden, NotFound, Unavailable
from common_lib.ids import UserId

log = structlog.get_logger(__name__)

ALGORITHM: Final = "ES256"
ACCESS_TYPE: Final = "at+jwt"
REFRESH_TYPE: Final = "rt+jwt"
SERVICE_TYPE: Final = "service+jwt"
ACCESS_LIFETIME_S: Final = 30 * 60
SERVICE_LIFETIME_S: Final = 60
LEEWAY_S: Final = 30
MAX_TOKEN_LENGTH: Final = 4096
JWKS_REFETCH_S: Final = 30.0
JWKS_RETRY_S: Final = 1.0
# With Redis away a token this young is still taken: nobody can tell whether it was revoked.
TRUSTED_WITHOUT_REDIS_S: Final = 15 * 60
_MAX_CACHED_TOKENS: Final = 20_000
_REVOCATION_CACHE_S: Final = 0.5
_REVOKED: Final = b"revoked"
_LIVE: Final = b"live"


class Role(StrEnum):
    GUEST = "GUEST"
    CUSTOMER = "CUSTOMER"
    SELLER = "SELLER"
    ADMIN = "ADMIN"


class Unauthenticated(Forbidden):
    """Nobody is known to be calling; `code` says why."""

    code = "auth_required"
    title = "A valid access token is needed"


class InvalidToken(Unauthenticated):
    code = "invalid_token"
    title = "The access token is not valid"


class TokenExpired(Unauthenticated):
    code = "token_expired"
    title = "The access token has expired"


class WrongTokenType(Unauthenticated):
    code = "wrong_token_type"
    title = "This is not an access token"


class TokenRevoked(Unauthenticated):
    code = "revoked"
    title = "The session was ended"


class RoleNotAllowed(Forbidden):
    code = "role_not_allowed"
    title = "Your role does not allow this"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as the token names it. `issued_at` and `expires_at` are epoch seconds."""

    user_id: UserId
    role: Role
    session_id: str
    issued_at: int
    expires_at: int

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


class SigningKey:
    """An EC P-256 private key, parsed once: signing from a PEM string costs 41 ms each time."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("the signing key must be an EC key on P-256")
        self.private = key
        self.public = key.public_key()
        self.jwk = _jwk(self.public)
        self.key_id: str = self.jwk["kid"]

    @classmethod
    def from_file(cls, path: Path) -> "SigningKey":
        """Read a PEM file. Raises ValueError naming the file when it is missing or no such key."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise ValueError(f"the signing key {path} cannot be read: {error.strerror}") from None

    def sign(self, claims: Mapping[str, Any], token_type: str) -> str:
        headers = {"kid": self.key_id, "typ": token_type}
        return jwt.encode(dict(claims), self.private, algorithm=ALGORITHM, headers=headers)


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Return the public key as a JWK whose kid is its RFC 7638 thumbprint."""
    numbers = public.public_numbers()
    x, y = (_base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
    core = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(core, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = _base64url(hashlib.sha256(canonical).digest())
    return {**core, "kid": thumbprint, "alg": ALGORITHM, "use": "sig"}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenSigner:
    """Issues access tokens; held by the user service alone."""

    def __init__(self, key: SigningKey, *, issuer: str, audience: str) -> None:
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


class KeySource(Protocol):
    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None: ...


class StaticKeys:
    """Keys that are at hand: the user service's own, or a test's."""

    def __init__(self, *keys: SigningKey) -> None:
        self._keys = {key.key_id: key.public for key in keys}

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self._keys.get(key_id)


class JwksCache:
    """The user service's keys, refetched at most every 30 s; the last good ones are kept."""

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._fetch = fetch
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self._fetch_again_at = 0.0
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        """Return the key; an unknown id asks again, within the limit.

        Raises Unavailable while no key is known at all.
        """
        if key_id not in self._keys:
            async with self._lock:
                if key_id not in self._keys and time.monotonic() >= self._fetch_again_at:
                    await self._refresh()
        if not self._keys:
            raise Unavailable("the keys for checking tokens are not known", retry_after_s=1)
        return self._keys.get(key_id)

    async def _refresh(self) -> None:
        try:
            document = await self._fetch()
            self._keys = {entry["kid"]: _public_key(entry) for entry in document["keys"]}
        except (Unavailable, jwt.PyJWTError, LookupError, TypeError, ValueError) as error:
            log.warning("jwks.not_refreshed", error=type(error).__name__)
        # Whoever waits behind a failure shares it, instead of waiting for one of their own.
        pause_s = JWKS_REFETCH_S if self._keys else JWKS_RETRY_S
        self._fetch_again_at = time.monotonic() + pause_s


def _public_key(entry: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    return cast("ec.EllipticCurvePublicKey", jwt.PyJWK.from_dict(dict(entry)).key)


class TokenVerifier:
    """Checks access tokens. A token seen before is looked up; its expiry is still checked."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._seen: OrderedDict[str, Principal] = OrderedDict()

    def known(self, token: str) -> Principal | None:
        """Return the caller of a token checked before, without waiting; None if it is new."""
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
        return _decode(token, key, audience=self._audience, issuer=self._issuer)

    def _remember(self, token: str, principal: Principal) -> None:
        self._seen[token] = principal
        if len(self._seen) > _MAX_CACHED_TOKENS:
            self._seen.popitem(last=False)


def _header(token: str) -> dict[str, Any]:
    """Return the unverified header. Raises InvalidToken unless it names ES256."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise InvalidToken from None
    if header.get("alg") != ALGORITHM:
        raise InvalidToken
    return header


def _decode(
    token: str, key: ec.EllipticCurvePublicKey, *, audience: str, issuer: str | None
) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_S,
            # PyJWT accepts a token without `exp` unless it is named here.
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise InvalidToken from None


def _principal(claims: Mapping[str, Any]) -> Principal:
    try:
        return Principal(
            user_id=UserId(UUID(claims["sub"])),
            role=Role(claims["role"]),
            session_id=str(claims["jti"]),
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
        )
    except (KeyError, ValueError, AttributeError):
        raise InvalidToken from None


class Sessions:
    """Live revocation in Redis: what was decided after a token was signed.

    `session:{jti}` says live or revoked, `user:{id}:role` overrides the role of tokens signed
    before a change (or says revoked for a suspended user). Both live as long as a token does.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._checked: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def start(self, session_id: str) -> None:
        await self._put(_session_key(session_id), _LIVE)

    async def revoke(self, session_id: str) -> None:
        """End a session everywhere within a second. Raises Unavailable if Redis is away."""
        self._checked.pop(session_id, None)
        await self._put(_session_key(session_id), _REVOKED)

    async def override_role(self, user_id: UUID, role: Role) -> None:
        """Give the user's living tokens another role. Raises Unavailable if Redis is away."""
        await self._put(_role_key(user_id), role.value.encode())

    async def suspend(self, user_id: UUID) -> None:
        """Refuse all of the user's living tokens. Raises Unavailable if Redis is away."""
        await self._put(_role_key(user_id), _REVOKED)

    async def current(self, principal: Principal) -> Principal:
        """Return the caller with today's role.

        Raises TokenRevoked, or Unavailable when Redis is away and the token is not young.
        """
        seen = self._checked.get(principal.session_id)
        if (
            seen is not None
            and seen[0] > time.monotonic()
            and seen[1].issued_at == principal.issued_at
        ):
            return seen[1]
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(_session_key(principal.session_id))
                pipeline.get(_role_key(principal.user_id))
                session, role = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            return trusted_without_redis(principal, error)
        answer = apply_revocation(principal, session, role)
        self._remember(answer)
        return answer

    def _remember(self, principal: Principal) -> None:
        self._checked[principal.session_id] = (time.monotonic() + _REVOCATION_CACHE_S, principal)
        if len(self._checked) > _MAX_CACHED_TOKENS:
            self._checked.popitem(last=False)

    async def _put(self, key: str, value: bytes) -> None:
        lifetime = timedelta(seconds=ACCESS_LIFETIME_S + LEEWAY_S)
        try:
            await self._redis.set(key, value, ex=lifetime)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("sessions cannot be changed just now") from error


def _session_key(session_id: str) -> str:
    return f"session:{session_id}"


def _role_key(user_id: UUID) -> str:
    return f"user:{user_id}:role"


def revocation_keys(principal: Principal) -> tuple[str, str]:
    """Return the two Redis keys that `apply_revocation` wants the values of."""
    return _session_key(principal.session_id), _role_key(principal.user_id)


def apply_revocation(principal: Principal, session: bytes | None, role: bytes | None) -> Principal:
    """Return the caller as Redis knows it now. Raises TokenRevoked."""
    if _REVOKED in (session, role):
        raise TokenRevoked
    return principal if role is None else replace(principal, role=Role(role.decode()))


def trusted_without_redis(principal: Principal, cause: BaseException | None = None) -> Principal:
    """Return the caller unchanged if its token is young enough. Raises Unavailable."""
    if time.time() - principal.issued_at > TRUSTED_WITHOUT_REDIS_S:
        raise Unavailable("sessions cannot be checked just now", retry_after_s=1) from cause
    return principal


class ServiceTokens:
    """Issues and checks the tokens with which services call each other."""

    def __init__(self, key: SigningKey, service: str) -> None:
        self._key = key
        self._service = service
        self._issued: dict[str, tuple[float, str]] = {}
        self._seen: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def issue(self, audience: str) -> str:
        """Return a token for `audience`, signed anew when less than half of its life is left."""
        ready = self._issued.get(audience)
        if ready is not None and ready[0] - time.time() > SERVICE_LIFETIME_S / 2:
            return ready[1]
        issued_at = int(time.time())
        claims = {
            "iss": self._service,
            "sub": self._service,
            "aud": audience,
            "jti": _base64url(hashlib.sha256(f"{audience}{time.time_ns()}".encode()).digest()[:12]),
            "iat": issued_at,
            "exp": issued_at + SERVICE_LIFETIME_S,
        }
        token = self._key.sign(claims, SERVICE_TYPE)
        self._issued[audience] = (float(issued_at + SERVICE_LIFETIME_S), token)
        return token

    def verify(self, token: str) -> str:
        """Return the calling service. Raises InvalidToken, TokenExpired or WrongTokenType."""
        seen = self._seen.get(token)
        if seen is not None and time.time() <= seen[0] + LEEWAY_S:
            return seen[1]
        if _header(token).get("typ") != SERVICE_TYPE:
            raise WrongTokenType
        claims = _decode(token, self._key.public, audience=self._service, issuer=None)
        self._seen[token] = (float(claims["exp"]), str(claims["sub"]))
        if len(self._seen) > _MAX_CACHED_TOKENS:
            self._seen.popitem(last=False)
        return str(claims["sub"])


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a service needs to know its callers; kept at `app.state.authenticator`."""

    verifier: TokenVerifier
    sessions: Sessions
    services: ServiceTokens


def bearer_token(request: Request) -> str:
    """Return the token of the Authorization header. Raises Unauthenticated."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


async def current_user(request: Request) -> Principal:
    """FastAPI dependency: the caller, with revocation and today's role applied."""
    authenticator: Authenticator = request.app.state.authenticator
    principal = await authenticator.verifier.verify(bearer_token(request))
    return await authenticator.sessions.current(principal)


async def maybe_user(request: Request) -> Principal | None:
    """FastAPI dependency: the caller if a token was sent; a bad token is refused all the same."""
    return await current_user(request) if "authorization" in request.headers else None


CurrentUser = Annotated[Principal, Depends(current_user)]
MaybeUser = Annotated[Principal | None, Depends(maybe_user)]


def require_role(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that admits these roles only. Raises RoleNotAllowed."""

    # A plain function would cost every request a hop to a thread.
    async def admitted(principal: CurrentUser) -> Principal:
        if principal.role not in roles:
            raise RoleNotAllowed
        return principal

    return admitted


def require_service(*names: str) -> Callable[[Request], str]:
    """Return a dependency that admits these services only, by service token."""

    def admitted(request: Request) -> str:
        authenticator: Authenticator = request.app.state.authenticator
        service = authenticator.services.verify(bearer_token(request))
        if names and service not in names:
            raise RoleNotAllowed("this service may not call that")
        return service

    return admitted


def ensure_self(principal: Principal, user_id: UUID, *, admin_ok: bool = False) -> None:
    """Raise NotFound unless the caller is that user: others' ids look like unknown ones."""
    if principal.user_id == user_id or (admin_ok and principal.is_admin):
        return
    raise NotFound

"""Revocation: what was decided after a token was signed."""

import time
from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from common_lib.auth.principals import Principal, Role, TokenRevoked
from common_lib.auth.tokens import ACCESS_LIFETIME_S, LEEWAY_S
from common_lib.errors import Unavailable

# With Redis away a token this young is still taken: nobody can tell whether it was revoked.
TRUSTED_WITHOUT_REDIS_S: Final = 15 * 60
_MAX_CACHED_SESSIONS: Final = 20_000
_REVOCATION_CACHE_S: Final = 0.5
_REVOKED: Final = b"revoked"
_LIVE: Final = b"live"


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
        if len(self._checked) > _MAX_CACHED_SESSIONS:
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

"""Revocation: what was decided after a token was signed."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut

from common_lib.auth.principals import Principal, RevocationUnknown, Role, TokenRevoked
from common_lib.auth.tokens import ACCESS_LIFETIME_S, LEEWAY_S
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

# With Redis away a token this young is still taken: nobody can tell whether it was revoked.
TRUSTED_WITHOUT_REDIS_S: Final = 15 * 60
_POWERFUL: Final = frozenset({Role.ADMIN, Role.SELLER})
_MAX_CACHED_SESSIONS: Final = 20_000
_REVOCATION_CACHE_S: Final = 0.5
_REVOKED: Final = b"revoked"
_LIVE: Final = b"live"
_LIFETIME: Final = timedelta(seconds=ACCESS_LIFETIME_S + LEEWAY_S)
_FAILURES: Final = (RedisError, OSError, TimeoutError)


class Sessions:
    """Live revocation in Redis: what was decided after a token was signed.

    `session:{jti}` says live or revoked, `user:{id}:role` overrides the role of tokens signed
    before a change (or says revoked for a user who is suspended or gone). Both live as long as a
    token does. The decisions themselves stand in users_db: with Redis away they are not told here,
    and reach it from there once it is back (ADR 0027).
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._checked: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def start(self, session_id: str) -> None:
        """Note a session that has begun, unless it has ended since. Raises Unavailable."""
        key = _session_key(session_id)
        try:
            await self._redis.set(key, _LIVE, ex=_LIFETIME, nx=True)
        except _FAILURES as error:
            raise Unavailable("sessions cannot be noted just now") from error

    async def revoke(self, *session_ids: str) -> None:
        """End sessions everywhere within a second; with Redis away, soon after it is back."""
        for session_id in session_ids:
            self._checked.pop(session_id, None)
        await self._tell({_session_key(session_id): _REVOKED for session_id in session_ids})

    async def override_role(self, user_id: UUID, role: Role) -> None:
        """Give the user's living tokens another role; with Redis away, soon after it is back."""
        await self._tell({_role_key(user_id): role.value.encode()})

    async def suspend(self, user_id: UUID) -> None:
        """Refuse all of the user's living tokens; with Redis away, soon after it is back."""
        await self._tell({_role_key(user_id): _REVOKED})

    async def put_back(
        self, session_ids: Iterable[str] = (), roles: Mapping[UUID, Role | None] | None = None
    ) -> None:
        """Write down again, in one round trip, what was decided before. Safe to repeat.

        A role of None refuses the user's living tokens. Raises Unavailable if Redis is away.
        """
        ended = {_session_key(session_id): _REVOKED for session_id in session_ids}
        changed = {
            _role_key(user_id): _REVOKED if role is None else role.value.encode()
            for user_id, role in (roles or {}).items()
        }
        await self._put(ended | changed)

    async def current(self, principal: Principal, *, is_write: bool = True) -> Principal:
        """Return the caller with today's role.

        Raises TokenRevoked, or RevocationUnknown as `trusted_without_redis` does.
        """
        seen = self._checked.get(principal.session_id)
        if (
            seen is not None
            and seen[0] > time.monotonic()
            and seen[1].issued_at == principal.issued_at
        ):
            return seen[1]
        try:
            session, role = await self._look_up_twice(principal)
        except _FAILURES as error:
            return trusted_without_redis(principal, is_write=is_write, cause=error)
        answer = apply_revocation(principal, session, role)
        self._remember(answer)
        return answer

    async def _look_up_twice(self, principal: Principal) -> tuple[bytes | None, bytes | None]:
        """Ask again if no answer came in time: a process that was itself held up sees just that."""
        try:
            return await self._look_up(principal)
        except TimedOut:
            return await self._look_up(principal)

    async def _look_up(self, principal: Principal) -> tuple[bytes | None, bytes | None]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in revocation_keys(principal):
                pipeline.get(key)
            session, role = await pipeline.execute()
        return session, role

    def _remember(self, principal: Principal) -> None:
        self._checked[principal.session_id] = (time.monotonic() + _REVOCATION_CACHE_S, principal)
        if len(self._checked) > _MAX_CACHED_SESSIONS:
            self._checked.popitem(last=False)

    async def _tell(self, values: Mapping[str, bytes]) -> None:
        try:
            await self._put(values)
        except Unavailable:
            log.warning("session.end_not_told", count=len(values))

    async def _put(self, values: Mapping[str, bytes]) -> None:
        if not values:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(key, value, ex=_LIFETIME)
                await pipeline.execute()
        except _FAILURES as error:
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


def trusted_without_redis(
    principal: Principal, *, is_write: bool, cause: BaseException | None = None
) -> Principal:
    """Return the caller unchanged if its token is young and little can be done with it.

    Raises RevocationUnknown for an old token, and for whatever administrators and sellers change:
    the wrong ones among them could do more harm than a few minutes without the right ones.
    """
    is_old = time.time() - principal.issued_at > TRUSTED_WITHOUT_REDIS_S
    if is_old or (is_write and principal.role in _POWERFUL):
        raise RevocationUnknown(retry_after_s=1) from cause
    return principal

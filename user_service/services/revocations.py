"""What users_db says of ended sessions and changed rights, kept in Redis whatever happens to it.

Whoever ends a session tells Redis at once. This repeats it from the rows: after Redis was away,
came back empty or older than it was, or threw keys out for want of memory (ADR 0027).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

import structlog
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis
from redis.exceptions import WatchError
from sqlalchemy import Row

from common_lib.auth import Role, Sessions
from common_lib.cache import REDIS_FAILURES
from common_lib.clock import now
from common_lib.database import Database
from common_lib.errors import Unavailable
from user_service.queries import revocations
from user_service.queries.revocations import Place
from user_service.schemas.enums import UserRole, UserStatus
from user_service.services.session_ends import LONGEST_SESSION

log = structlog.get_logger(__name__)

MARKER: Final = "revocations:copied"
# A change is dated while its transaction runs and seen once that has committed: lock waits of two
# seconds, three attempts, and the clocks of several machines lie between.
_OVERLAP: Final = timedelta(seconds=15)
_PAGE: Final = 1000
# While Redis keeps throwing keys out, everything is written again no more often than this.
_REWRITE_PAUSE_S: Final = 2.0
_BEFORE_ALL: Final = UUID(int=0)

COPIED = Counter("revocations_copied_total", "Revocations written from users_db to Redis", ["kind"])
REWRITES = Counter("revocations_rewrites_total", "Times Redis was told everything again")


class _Memory(BaseModel):
    """Which life of the Redis server it is, and how many keys it has thrown out in it."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    evicted_keys: int

    @classmethod
    async def of(cls, redis: Redis) -> Self:
        server, stats = await redis.info("server"), await redis.info("stats")
        return cls(run_id=server["run_id"], evicted_keys=stats["evicted_keys"])


class _Marker(BaseModel):
    """Until when, and in which memory, Redis has been told everything."""

    model_config = ConfigDict(frozen=True)

    until: datetime
    memory: _Memory

    @classmethod
    def read(cls, text: bytes | str | None) -> Self | None:
        try:
            return cls.model_validate_json(text or b"")
        except ValidationError:
            return None


@dataclass(slots=True)
class Revocations:
    """Any number of workers may keep the same Redis; `redis` should wait longer than a page takes.

    The marker is watched while a copy is made (WATCH of Redis): a flush in between, a restart, or
    a faster worker leave the old marker, and the next pass begins from there.
    """

    db: Database
    redis: Redis
    _rewritten_at: float = -_REWRITE_PAUSE_S

    async def keep(self) -> None:
        """Tell Redis what it lacks; whatever is away is left to the next pass. Never raises."""
        try:
            await self._catch_up()
        except WatchError:
            log.info("revocations.interrupted")
        except (Unavailable, *REDIS_FAILURES) as error:
            log.warning("revocations.behind", error=type(error).__name__)

    async def _catch_up(self) -> None:
        moment, memory = now(), await _Memory.of(self.redis)
        # WATCH notices that a key was flushed only if it was there.
        await self.redis.set(MARKER, b"", nx=True)
        async with self.redis.pipeline() as guard:
            await guard.watch(MARKER)
            last = _Marker.read(await guard.get(MARKER))
            if last is None or not self._is_complete(last, memory):
                await self._tell(moment - LONGEST_SESSION, moment)
                marker = _Marker(until=moment, memory=memory)
            else:
                await self._tell(last.until - _OVERLAP, moment)
                marker = last.model_copy(update={"until": moment})
            guard.multi()  # type: ignore[no-untyped-call]
            guard.set(MARKER, marker.model_dump_json())
            await guard.execute()
        if marker.memory is memory:
            self._rewritten_at = time.monotonic()
            REWRITES.inc()

    def _is_complete(self, last: _Marker, memory: _Memory) -> bool:
        """Tell whether only what is new has to be told; evictions wait until the next rewrite."""
        if last.memory.run_id != memory.run_id:
            return False
        is_rested = time.monotonic() - self._rewritten_at >= _REWRITE_PAUSE_S
        return last.memory == memory or not is_rested

    async def _tell(self, since: datetime, moment: datetime) -> None:
        oldest = moment - LONGEST_SESSION
        since = max(since, oldest)
        sessions = Sessions(self.redis)
        await self._tell_rights(sessions, since)
        await self._tell_ends(sessions, since, oldest)

    async def _tell_rights(self, sessions: Sessions, since: datetime) -> None:
        place: Place | None = Place(since, _BEFORE_ALL)
        while place is not None:
            async with self.db.read_own_writes() as session:
                page = await revocations.changed_users(session, place, _PAGE)
            roles = {user_id: _role(role, status) for _, user_id, role, status in page}
            await sessions.put_back(roles=roles)
            COPIED.labels("rights").inc(len(roles))
            place = _following(page)

    async def _tell_ends(self, sessions: Sessions, since: datetime, oldest: datetime) -> None:
        place: Place | None = Place(since, _BEFORE_ALL)
        while place is not None:
            async with self.db.read_own_writes() as session:
                page = await revocations.ended_sessions(session, place, _PAGE)
                families = [family_id for _, family_id in page]
                jtis = await revocations.living_tokens(session, families, oldest)
            await sessions.put_back(map(str, jtis))
            COPIED.labels("session").inc(len(jtis))
            place = _following(page)


def _role(role: UserRole, status: UserStatus) -> Role | None:
    """Return the role that living tokens carry; None where they carry none."""
    return Role(role.value) if status is UserStatus.ACTIVE else None


def _following(page: Sequence[Row[*tuple[Any, ...]]]) -> Place | None:
    """Return where the next page begins, None after the last one."""
    return Place(page[-1][0], page[-1][1]) if len(page) == _PAGE else None

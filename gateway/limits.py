"""At most N requests in any 60 seconds, exactly, and revocation, in one Redis round trip.

Fixed windows, sliding counters and GCRA with a burst let up to twice N through in some 60 s; a ring
of the last N moments does not. Requests that arrive in one tick of the event loop share a pipeline.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from common_lib.cache import REDIS_FAILURES

log = structlog.get_logger(__name__)

WINDOW_S: Final = 60
_WINDOW_US: Final = WINDOW_S * 1_000_000
_MAX_LOCAL_KEYS: Final = 50_000
_REDIS_REST_S: Final = 1.0

LIMITED = Counter("gateway_limited_total", "Requests refused by the rate limit", ["by"])
_BY_REDIS = LIMITED.labels("redis")
_BY_PROCESS = LIMITED.labels("process")

# KEYS: ring, session, role (the last two only with a token). ARGV: N, window in µs.
# The ring is a list, newest first; what is older than the window falls off its end, so its length
# is the number of admitted requests in the window. Answers: admitted, left, µs until one is free.
RING_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = tonumber(redis.call('LINDEX', KEYS[1], -1))
while oldest and now - oldest > window do
  redis.call('RPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], -1))
end
local used = redis.call('LLEN', KEYS[1])
local admitted = 0
if used < limit then
  used = redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1)
  admitted = 1
elseif used > limit then
  oldest = tonumber(redis.call('LINDEX', KEYS[1], limit - 1))
end
local answer = {admitted, math.max(0, limit - used), (oldest or now) + window - now}
if KEYS[2] then
  local known = redis.call('MGET', KEYS[2], KEYS[3])
  answer[4], answer[5] = known[1], known[2]
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about a request's caller. `free_in_s`: when the next request frees itself."""

    is_admitted: bool
    limit: int
    remaining: int
    free_in_s: float
    session: bytes | None = None
    role: bytes | None = None
    # False when Redis did not answer: the count is this process's own, revocation is unknown.
    is_shared: bool = True


class LocalLimiter:
    """The same rule within this process, for as long as Redis is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rings: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str, limit: int) -> Verdict:
        now = self._clock()
        ring = self._ring(key)
        while ring and now - ring[0] > WINDOW_S:
            ring.popleft()
        is_admitted = len(ring) < limit
        if is_admitted:
            ring.append(now)
        # With a limit lowered meanwhile several must leave before the next may enter.
        blocking = ring[max(0, len(ring) - limit)]
        left = max(0, limit - len(ring))
        return Verdict(is_admitted, limit, left, blocking + WINDOW_S - now, is_shared=False)

    def _ring(self, key: str) -> deque[float]:
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = deque()
            if len(self._rings) > _MAX_LOCAL_KEYS:
                self._rings.popitem(last=False)
        self._rings.move_to_end(key)
        return ring


@dataclass(frozen=True, slots=True)
class _Question:
    keys: Sequence[str]
    limit: int
    answer: asyncio.Future[Any]


class Limiter:
    """Asks Redis for all requests of a tick at once; counts here while Redis is away."""

    def __init__(self, redis: Redis, local: LocalLimiter | None = None) -> None:
        self._redis = redis
        self._script: AsyncScript = redis.register_script(RING_SCRIPT)
        self._local = local or LocalLimiter()
        self._waiting: list[_Question] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._rest_until = 0.0

    async def check(self, key: str, limit: int, revocation: Sequence[str] = ()) -> Verdict:
        """Count a request under `key` and fetch the two revocation keys; never raises."""
        if time.monotonic() < self._rest_until:
            return self._locally(key, limit)
        loop = asyncio.get_running_loop()
        question = _Question((f"rate:{key}", *revocation), limit, loop.create_future())
        self._waiting.append(question)
        if len(self._waiting) == 1:
            loop.call_soon(self._depart)
        reply = await question.answer
        if not isinstance(reply, list):
            return self._locally(key, limit)
        return _verdict(reply, limit)

    def _locally(self, key: str, limit: int) -> Verdict:
        verdict = self._local.check(key, limit)
        if not verdict.is_admitted:
            _BY_PROCESS.inc()
        return verdict

    def _depart(self) -> None:
        questions, self._waiting = self._waiting, []
        flight = asyncio.get_running_loop().create_task(self._ask(questions))
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _ask(self, questions: Sequence[_Question]) -> None:
        replies: Sequence[Any] = ()
        try:
            replies = await self._round_trip(questions)
        except REDIS_FAILURES as error:
            self._rest_until = time.monotonic() + _REDIS_REST_S
            log.warning("limits.redis_away", error=type(error).__name__)
        finally:
            for index, question in enumerate(questions):
                if not question.answer.done():
                    question.answer.set_result(replies[index] if replies else None)

    async def _round_trip(self, questions: Sequence[_Question]) -> list[Any]:
        replies = await self._send(questions)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            # Redis was restarted or flushed: none of them ran.
            await self._redis.script_load(RING_SCRIPT)
            replies = await self._send(questions)
        return replies

    async def _send(self, questions: Sequence[_Question]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for question in questions:
                pipeline.evalsha(
                    self._script.sha, len(question.keys), *question.keys, question.limit, _WINDOW_US
                )
            return list(await pipeline.execute(raise_on_error=False))


def _verdict(reply: list[Any], limit: int) -> Verdict:
    is_admitted = reply[0] == 1
    if not is_admitted:
        _BY_REDIS.inc()
    session, role = (reply[3], reply[4]) if len(reply) > 4 else (None, None)  # noqa: PLR2004
    return Verdict(is_admitted, limit, reply[1], reply[2] / 1_000_000, session, role)

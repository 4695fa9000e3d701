"""At most N requests in any 60 seconds, exactly, and revocation, in one Redis round trip.

Fixed windows, sliding counters and GCRA with a burst let up to twice N through in some 60 s; a ring
of the last N moments does not. Requests that arrive in one tick of the event loop share a write.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from prometheus_client import Counter

from gateway.redis_pipe import RedisPipe, pack

WINDOW_S: Final = 60
_WINDOW_US: Final = WINDOW_S * 1_000_000
_MAX_LOCAL_KEYS: Final = 50_000
_WITHOUT_REVOCATION: Final = 3

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


class Verdict(NamedTuple):
    """What is known about a request's caller. `free_in_s`: when the next request frees itself."""

    is_admitted: bool
    limit: int
    remaining: int
    free_in_s: float
    session: bytes | None = None
    role: bytes | None = None
    # False when Redis did not answer: the count is this process's own, revocation is unknown.
    is_shared: bool = True


class Subject(NamedTuple):
    """Somebody who is counted, with the ready Redis command that counts."""

    key: str
    limit: int
    command: bytes


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


class Limiter:
    """Asks Redis; counts within this process while Redis is away."""

    def __init__(self, pipe: RedisPipe, local: LocalLimiter | None = None) -> None:
        self._pipe = pipe
        self._local = local or LocalLimiter()

    def subject(self, key: str, limit: int, revocation: Sequence[str] = ()) -> Subject:
        """Return who is counted under `key`; `revocation` names the two keys to be fetched."""
        keys = (f"rate:{key}", *revocation)
        command = pack("EVALSHA", self._pipe.sha, len(keys), *keys, limit, _WINDOW_US)
        return Subject(key, limit, command)

    async def check(self, subject: Subject) -> Verdict:
        """Count a request; never raises."""
        reply = await self._pipe.send(subject.command)
        if not isinstance(reply, list):
            return self._locally(subject)
        is_admitted = reply[0] == 1
        if not is_admitted:
            _BY_REDIS.inc()
        free_in_s = reply[2] / 1_000_000
        if len(reply) > _WITHOUT_REVOCATION:
            return Verdict(is_admitted, subject.limit, reply[1], free_in_s, reply[3], reply[4])
        return Verdict(is_admitted, subject.limit, reply[1], free_in_s)

    def _locally(self, subject: Subject) -> Verdict:
        verdict = self._local.check(subject.key, subject.limit)
        if not verdict.is_admitted:
            _BY_PROCESS.inc()
        return verdict

"""At most N requests in any 60 seconds, exactly, and revocation, in one Redis round trip.

Fixed windows, sliding counters and GCRA with a burst let up to twice N through in some 60 s; a ring
of the last N moments does not. Requests that arrive in one tick of the event loop share a write.
Whatever becomes of Redis, no process lets more than N through in any 60 s (ADR 0029).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from prometheus_client import Counter

from gateway.redis_pipe import RedisPipe, pack

WINDOW_S: Final = 60
_WINDOW_US: Final = WINDOW_S * 1_000_000
_MAX_LOCAL_KEYS: Final = 50_000
# Limits beyond this protect the machine, not an account: not worth a memory of every request.
_WIDEST_REMEMBERED: Final = 10_000

LIMITED = Counter("gateway_limited_total", "Requests refused by the rate limit", ["by"])
_BY_REDIS = LIMITED.labels("redis")
_BY_PROCESS = LIMITED.labels("process")

# KEYS: the rings, then session and role (the last two only with a token). ARGV: for each ring its
# limit and its window in µs. A ring is a list, newest first; what is older than the window falls
# off its end, so its length is the number of requests let in within the window. A request is let
# in, and counted, where all rings have room. Answers: let in, session, role, and for each ring
# what is left and the µs until one more is free.
RING_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local rings = #ARGV / 2
local used, oldest, admitted = {}, {}, 1
for i = 1, rings do
  local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local last = tonumber(redis.call('LINDEX', KEYS[i], -1))
  while last and now - last > window do
    redis.call('RPOP', KEYS[i])
    last = tonumber(redis.call('LINDEX', KEYS[i], -1))
  end
  used[i], oldest[i] = redis.call('LLEN', KEYS[i]), last
  if used[i] >= limit then admitted = 0 end
  if used[i] > limit then oldest[i] = tonumber(redis.call('LINDEX', KEYS[i], limit - 1)) end
end
local answer = {admitted, false, false}
if KEYS[rings + 1] then
  local known = redis.call('MGET', KEYS[rings + 1], KEYS[rings + 2])
  answer[2], answer[3] = known[1], known[2]
end
for i = 1, rings do
  local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  if admitted == 1 then
    used[i] = redis.call('LPUSH', KEYS[i], string.format('%.0f', now))
    redis.call('PEXPIRE', KEYS[i], math.ceil(window / 1000) + 1)
    oldest[i] = oldest[i] or now
  end
  answer[2 * i + 2] = math.max(0, limit - used[i])
  answer[2 * i + 3] = oldest[i] and oldest[i] + window - now or 0
end
return answer
"""


@dataclass(slots=True, eq=False)
class Policy:
    """How many requests in any 60 s; a changed `limit` holds from the next request on."""

    name: str
    limit: int


class Count(NamedTuple):
    """How a caller stands under one policy. `free_in_s`: when the next place frees itself."""

    policy: str
    limit: int
    remaining: int
    free_in_s: float


class Verdict(NamedTuple):
    """What is known about a request's caller; the strictest policy's count comes first."""

    is_admitted: bool
    counts: Sequence[Count]
    session: bytes | None = None
    role: bytes | None = None
    # False when Redis did not answer: the count is this process's own, revocation is unknown.
    is_shared: bool = True

    @property
    def retry_after_s(self) -> float:
        """Return when every policy that is used up has room again."""
        return max(count.free_in_s for count in self.counts if not count.remaining)


class Subject:
    """Somebody who is counted under a policy; `revocation` names the two keys to be fetched."""

    __slots__ = ("_command", "_packed_for", "key", "policy", "revocation")

    def __init__(self, key: str, policy: Policy, revocation: Sequence[str] = ()) -> None:
        self.key = key
        self.policy = policy
        self.revocation = revocation
        self._command = b""
        self._packed_for = 0

    def command(self, sha: str) -> bytes:
        """Return the Redis command that counts, kept for as long as the limit stays."""
        if self._packed_for != self.policy.limit:
            self._packed_for = self.policy.limit
            self._command = _command(sha, (self,))
        return self._command


def _command(sha: str, subjects: Sequence[Subject]) -> bytes:
    keys = [f"rate:{subject.key}" for subject in subjects]
    limits = [size for subject in subjects for size in (subject.policy.limit, _WINDOW_US)]
    for subject in subjects:
        keys.extend(subject.revocation)
    return pack("EVALSHA", sha, len(keys), *keys, *limits)


class LocalLimiter:
    """The same rule over what this process let in. Moments are in seconds, on any one clock."""

    def __init__(self) -> None:
        self._rings: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        return not self._rings

    def check(self, subjects: Sequence[Subject], now: float) -> Verdict:
        """Count a request where every subject has room for it."""
        rings = [self._recent(subject.key, now) for subject in subjects]
        is_admitted = all(
            len(ring) < subject.policy.limit for ring, subject in zip(rings, subjects, strict=True)
        )
        if is_admitted:
            rings = [self._add(subject.key, now) for subject in subjects]
        counts = [
            _own_count(subject.policy, ring, now)
            for ring, subject in zip(rings, subjects, strict=True)
        ]
        return Verdict(is_admitted, counts, is_shared=False)

    def record(self, subjects: Iterable[Subject], now: float) -> None:
        """Remember a request that Redis has let in."""
        for subject in subjects:
            if subject.policy.limit <= _WIDEST_REMEMBERED:
                self._recent(subject.key, now)
                self._add(subject.key, now)

    def withdraw(self, subjects: Iterable[Subject], moment: float) -> None:
        """Forget a request counted at `moment`, which Redis has refused."""
        for subject in subjects:
            ring = self._recent(subject.key, moment)
            if moment in ring:
                ring.remove(moment)

    def _recent(self, key: str, now: float) -> deque[float]:
        ring = self._rings.get(key)
        if ring is None:
            return deque()
        while ring and now - ring[0] > WINDOW_S:
            ring.popleft()
        return ring

    def _add(self, key: str, now: float) -> deque[float]:
        ring = self._rings.get(key)
        if ring is None:
            self._drop_idle(now)
            ring = self._rings[key] = deque()
        else:
            self._rings.move_to_end(key)
        ring.append(now)
        return ring

    def _drop_idle(self, now: float) -> None:
        """Drop up to two rings that hold nothing recent, for the one that comes."""
        for _ in range(2):
            if not self._rings:
                return
            ring = next(iter(self._rings.values()))
            if ring and now - ring[-1] <= WINDOW_S and len(self._rings) < _MAX_LOCAL_KEYS:
                return
            self._rings.popitem(last=False)


def _own_count(policy: Policy, ring: deque[float], now: float) -> Count:
    # With a limit lowered meanwhile several must leave before the next may enter.
    free_in_s = ring[max(0, len(ring) - policy.limit)] + WINDOW_S - now if ring else 0.0
    return Count(policy.name, policy.limit, max(0, policy.limit - len(ring)), free_in_s)


class Limiter:
    """Asks Redis; counts within this process while Redis is away, and twice for a minute after."""

    def __init__(
        self,
        pipe: RedisPipe,
        policies: Iterable[Policy],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policies = {policy.name: policy for policy in policies}
        self._pipe = pipe
        self._local = LocalLimiter()
        self._clock = clock
        self._doubted_until = 0.0
        pipe.on_change = self._connection_changed

    def set_limit(self, policy: str, limit: int) -> None:
        """Change a limit from the next request on. Raises KeyError, or ValueError below 1."""
        if limit < 1:
            raise ValueError("a limit is at least 1")
        self.policies[policy].limit = limit

    def subject(self, key: str, policy: str, revocation: Sequence[str] = ()) -> Subject:
        return Subject(key, self.policies[policy], revocation)

    async def check(self, subject: Subject, guard: Subject | None = None) -> Verdict:
        """Count a request under one policy, or under two at once; never raises."""
        if guard is None:
            subjects: tuple[Subject, ...] = (subject,)
            command = subject.command(self._pipe.sha)
        else:
            subjects = (guard, subject)
            command = _command(self._pipe.sha, subjects)
        if self._clock() < self._doubted_until:
            return await self._check_twice(subjects, command)
        reply = await self._pipe.send(command)
        if not isinstance(reply, list):
            return self._alone(subjects)
        verdict = _verdict(subjects, reply)
        if verdict.is_admitted:
            self._local.record(subjects, self._clock())
        else:
            _BY_REDIS.inc()
        return verdict

    def _alone(self, subjects: Sequence[Subject]) -> Verdict:
        self._doubt()
        verdict = self._local.check(subjects, self._clock())
        if not verdict.is_admitted:
            _BY_PROCESS.inc()
        return verdict

    def _connection_changed(self) -> None:
        """Doubt Redis, unless this process has let nothing in that it could have forgotten."""
        if not self._local.is_empty:
            self._doubt()

    def _doubt(self) -> None:
        """From now on for a window Redis may not know all that this process has let in."""
        self._doubted_until = self._clock() + WINDOW_S

    async def _check_twice(self, subjects: Sequence[Subject], command: bytes) -> Verdict:
        """Let in what has room both in Redis and in what this process remembers."""
        moment = self._clock()
        own = self._local.check(subjects, moment)
        if not own.is_admitted:
            _BY_PROCESS.inc()
            # Known to be over the limit: whether Redis answers makes no difference.
            return own._replace(is_shared=True)
        reply = await self._pipe.send(command)
        if not isinstance(reply, list):
            self._doubt()
            return own
        verdict = _verdict(subjects, reply)
        if not verdict.is_admitted:
            _BY_REDIS.inc()
            self._local.withdraw(subjects, moment)
        return verdict


def _verdict(subjects: Sequence[Subject], reply: Sequence[Any]) -> Verdict:
    counts = [
        Count(
            subject.policy.name,
            subject.policy.limit,
            reply[place],
            reply[place + 1] / 1_000_000,
        )
        for place, subject in zip(range(3, len(reply), 2), subjects, strict=True)
    ]
    return Verdict(reply[0] == 1, counts, reply[1], reply[2])

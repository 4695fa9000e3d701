"""The limiters of several gateways on a real Redis, by a clock set by hand, beside an oracle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as BlockingRedis

from gateway.limits import RING_SCRIPT, Limiter, Policy, Verdict
from gateway.redis_pipe import RedisPipe
from tests.integration.gateway.conftest import RedisServer

WINDOW_US = 60_000_000
GATEWAYS = 3
LOGINS = 2
# The script of production but for the clock.
TIMED_SCRIPT = RING_SCRIPT.replace("redis.call('TIME')", "redis.call('HMGET', 'clock', 's', 'us')")
PAUSES = st.integers(0, 70_000_000) | st.sampled_from(
    [0, 1, 59_999_999, 60_000_000, 60_000_001, 120_000_000]
)
GATEWAY = st.integers(0, GATEWAYS - 1)

Scenario = Callable[["Gateways"], Awaitable[None]]


class FlakyPipe(RedisPipe):
    """A gateway's connection, which a test may cut."""

    is_away = False

    async def send(self, command: bytes) -> Any:
        return None if self.is_away else await super().send(command)

    def cut(self) -> None:
        self._give_up("cut")
        self._retry_at = 0.0


class Gateways:
    """The limiters of several gateways around one Redis, and what they let in."""

    def __init__(self, redis: BlockingRedis, port: int, limit: int) -> None:
        self.now_us = 1_800_000_000_000_000
        self.redis = redis
        self.limit = limit
        url = f"redis://127.0.0.1:{port}/0"
        self.pipes = [FlakyPipe(url, TIMED_SCRIPT, timeout_s=5) for _ in range(GATEWAYS)]
        self.limiters = [self._limiter(pipe) for pipe in self.pipes]
        self._run = uuid4().hex
        # Which gateway let it in, for whom, when.
        self._admitted: list[tuple[int, str, int]] = []

    def _limiter(self, pipe: RedisPipe) -> Limiter:
        policies = [Policy("default", self.limit), Policy("login", LOGINS)]
        return Limiter(pipe, policies, clock=lambda: self.now_us / 1_000_000)

    def wait(self, pause_us: int) -> None:
        self.now_us += pause_us
        seconds, micros = divmod(self.now_us, 1_000_000)
        self.redis.hset("clock", mapping={"s": seconds, "us": micros})

    def change(self, limit: int) -> None:
        self.limit = limit
        for limiter in self.limiters:
            limiter.set_limit("default", limit)

    def recent(self, who: str, *gateways: int) -> int:
        """Count who was let in within the window, by these gateways or by any."""
        return sum(
            whom == who and by in (gateways or range(GATEWAYS)) and self.now_us - at <= WINDOW_US
            for by, whom, at in self._admitted
        )

    async def ask(self, gateway: int, who: str = "a", *, is_login: bool = False) -> Verdict:
        limiter = self.limiters[gateway]
        subject = limiter.subject(f"{self._run}:{who}", "default")
        guard = limiter.subject(f"{self._run}:login", "login") if is_login else None
        verdict = await limiter.check(subject, guard)
        if verdict.is_admitted:
            self._admitted.append((gateway, who, self.now_us))
            if is_login:
                self._admitted.append((gateway, "login", self.now_us))
        return verdict


def play(redis_server: RedisServer, limit: int, scenario: Scenario) -> None:
    """Play a scenario with gateways of its own, on a Redis that has just begun."""

    async def played() -> None:
        await redis_server.ready()
        with BlockingRedis(port=redis_server.port) as redis:
            gateways = Gateways(redis, redis_server.port, limit)
            gateways.wait(0)
            try:
                await scenario(gateways)
            finally:
                for pipe in gateways.pipes:
                    await pipe.close()

    with asyncio.Runner() as runner:
        runner.run(played())


def examples(count: int) -> settings:
    shared = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=count, deadline=None, suppress_health_check=shared)


@examples(80)
@given(
    limit=st.integers(1, 6),
    calls=st.lists(
        st.tuples(
            PAUSES, GATEWAY, st.sampled_from("ab"), st.booleans(), st.none() | st.integers(1, 6)
        ),
        max_size=40,
    ),
)
def test_several_gateways_admit_exactly_what_the_oracle_admits(
    redis_server: RedisServer, limit: int, calls: list[tuple[int, int, str, bool, int | None]]
) -> None:
    """Any arrivals at any of them, one policy or two, a limit that changes meanwhile."""

    async def scenario(gateways: Gateways) -> None:
        for pause, gateway, who, is_login, changed in calls:
            gateways.wait(pause)
            gateways.change(changed or gateways.limit)
            used = gateways.recent(who)
            has_room = used < gateways.limit
            if is_login:
                has_room = has_room and gateways.recent("login") < LOGINS

            verdict = await gateways.ask(gateway, who, is_login=is_login)

            assert verdict.is_admitted is has_room
            assert verdict.is_shared
            assert verdict.counts[-1].remaining == max(0, gateways.limit - used - has_room)

    play(redis_server, limit, scenario)


@examples(30)
@given(limit=st.integers(1, 6), calls=st.lists(st.tuples(PAUSES, GATEWAY), max_size=30))
def test_the_time_given_with_a_refusal_is_exact(
    redis_server: RedisServer, limit: int, calls: list[tuple[int, int]]
) -> None:
    async def scenario(gateways: Gateways) -> None:
        for pause, gateway in calls:
            gateways.wait(pause)
            verdict = await gateways.ask(gateway)
            if not verdict.is_admitted:
                gateways.wait(round(verdict.retry_after_s * 1_000_000))
                assert not (await gateways.ask(gateway)).is_admitted
                gateways.wait(1)
                assert (await gateways.ask(gateway)).is_admitted

    play(redis_server, limit, scenario)


@examples(40)
@given(
    limit=st.integers(1, 6),
    bursts=st.lists(st.tuples(PAUSES, st.lists(GATEWAY, max_size=12)), max_size=8),
)
def test_bursts_at_several_gateways_are_let_in_up_to_the_limit_and_no_further(
    redis_server: RedisServer, limit: int, bursts: list[tuple[int, list[int]]]
) -> None:
    async def scenario(gateways: Gateways) -> None:
        for pause, arrivals in bursts:
            gateways.wait(pause)
            room = limit - gateways.recent("a")

            verdicts = await asyncio.gather(*(gateways.ask(gateway) for gateway in arrivals))

            assert sum(verdict.is_admitted for verdict in verdicts) == min(room, len(arrivals))

    play(redis_server, limit, scenario)


@examples(80)
@given(
    limit=st.integers(1, 6),
    steps=st.lists(
        st.tuples(
            PAUSES | st.just(0),
            GATEWAY,
            st.sampled_from(["ask", "ask", "burst", "away", "back", "empty", "cut"]),
        ),
        max_size=60,
    ),
)
def test_whatever_becomes_of_redis_no_gateway_lets_in_more_than_the_limit(
    redis_server: RedisServer, limit: int, steps: list[tuple[int, int, str]]
) -> None:
    """Outages for one gateway, lost connections, and a Redis that starts again with nothing."""

    async def scenario(gateways: Gateways) -> None:
        for pause, gateway, step in steps:
            gateways.wait(pause)
            pipe = gateways.pipes[gateway]
            if step in ("away", "back"):
                pipe.is_away = step == "away"
            elif step == "cut":
                pipe.cut()
            elif step == "empty":
                start_anew(gateways)
            else:
                calls = [gateways.ask(gateway) for _ in range(9 if step == "burst" else 1)]
                await asyncio.gather(*calls)
            assert gateways.recent("a", gateway) <= limit

    play(redis_server, limit, scenario)


def start_anew(gateways: Gateways) -> None:
    """Do what a restart of a Redis without a disk does."""
    gateways.redis.flushall()
    gateways.wait(0)
    for pipe in gateways.pipes:
        pipe.cut()


@examples(30)
@given(limit=st.integers(1, 6), before=st.integers(0, 9), away=st.integers(0, 9), by=GATEWAY)
def test_a_minute_after_redis_came_back_the_count_is_shared_and_exact_again(
    redis_server: RedisServer, limit: int, before: int, away: int, by: int
) -> None:
    async def scenario(gateways: Gateways) -> None:
        for _ in range(before):
            await gateways.ask(by)
        gateways.pipes[by].is_away = True
        for _ in range(away):
            await gateways.ask(by)
        gateways.pipes[by].is_away = False
        gateways.wait(WINDOW_US + 1)

        verdicts = [await gateways.ask(number % GATEWAYS) for number in range(limit + 3)]

        assert [verdict.is_admitted for verdict in verdicts] == [True] * limit + [False] * 3

    play(redis_server, limit, scenario)

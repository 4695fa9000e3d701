"""The limit and revocation, on a real Redis."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from redis import Redis as BlockingRedis

from common_lib.auth import Role, Sessions
from common_lib.cache import create_redis
from gateway.settings import GatewaySettings
from tests.integration.gateway.conftest import RedisServer
from tests.integration.gateway.harness import Door, Upstream, open_door, token
from tests.waiting import eventually


@pytest.fixture
def strict(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"rate_limit_per_minute": 100})


async def statuses(door: Door, bearer: str | None, count: int) -> list[int]:
    given = await asyncio.gather(*(door.ask(bearer=bearer) for _ in range(count)))
    return [answer.status for answer in given]


async def test_request_101_is_too_many(strict: GatewaySettings, upstream: Upstream) -> None:
    bearer = token()
    async with open_door(strict) as door:
        first = await door.ask(bearer=bearer)
        rest = await statuses(door, bearer, 99)
        refused = await door.ask(bearer=bearer)
        other = await door.ask(bearer=token())

    assert first.headers["ratelimit-policy"] == '"default";q=100;w=60'
    assert first.headers["ratelimit"] == '"default";r=99;t=60'
    assert rest == [200] * 99
    refused.assert_problem(429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].startswith('"default";r=0;t=')
    assert other.status == 200
    assert len(upstream.requests) == 101


async def test_exactly_100_of_300_at_once_pass_through_two_gateways(
    strict: GatewaySettings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    bearer = token()
    twin = strict.model_copy(update={"metrics_port": unused_tcp_port_factory()})
    async with open_door(strict) as one, open_door(twin) as two:
        both = await asyncio.gather(statuses(one, bearer, 150), statuses(two, bearer, 150))

    assert sorted([*both[0], *both[1]]) == [200] * 100 + [429] * 200


async def test_several_tokens_of_one_user_are_one_caller(strict: GatewaySettings) -> None:
    user = uuid4()
    few = strict.model_copy(update={"rate_limit_per_minute": 3})
    async with open_door(few) as door:
        given = [(await door.ask(bearer=token(user))).status for _ in range(5)]

    assert given == [200, 200, 200, 429, 429]


async def test_nobody_in_particular_is_counted_by_address(
    strict: GatewaySettings, redis_server: RedisServer
) -> None:
    with BlockingRedis(port=redis_server.port) as redis:
        redis.delete("rate:default:127.0.0.1")
    few = strict.model_copy(update={"rate_limit_per_minute": 2})
    async with open_door(few) as door:
        given = [
            (await door.ask(headers=f"X-Forwarded-For: 9.9.9.{number}\r\n")).status
            for number in range(3)
        ]
    with BlockingRedis(port=redis_server.port) as redis:
        redis.delete("rate:default:127.0.0.1")

    assert given == [200, 200, 429]


async def test_a_logged_out_token_is_dead_at_once(door: Door, redis_server: RedisServer) -> None:
    session = uuid4().hex
    bearer = token(session=session)
    assert (await door.ask(bearer=bearer)).status == 200

    redis = create_redis(redis_server.url)
    await Sessions(redis).revoke(session)
    await redis.aclose()

    (await door.ask(bearer=bearer)).assert_problem(401, "revoked")


async def test_a_suspended_user_is_out_at_once(door: Door, redis_server: RedisServer) -> None:
    user = uuid4()
    bearer = token(user, role=Role.SELLER)
    redis = create_redis(redis_server.url)
    await Sessions(redis).suspend(user)
    await redis.aclose()

    (await door.ask(bearer=bearer)).assert_problem(401, "revoked")


async def test_the_script_is_loaded_again_after_redis_forgot_it(
    door: Door, redis_server: RedisServer
) -> None:
    with BlockingRedis(port=redis_server.port) as redis:
        redis.script_flush()
    assert (await door.ask(bearer=token())).status == 200

    async def is_shared() -> bool:
        subject = door.gateway.limiter.subject(f"u:{uuid4()}", "default")
        return bool((await door.gateway.limiter.check(subject)).is_shared)

    await eventually(is_shared, what="the script to be back")


async def test_without_redis_the_process_counts_by_itself(
    strict: GatewaySettings, redis_server: RedisServer
) -> None:
    bearer, old = token(), token(life_s=600)
    few = strict.model_copy(update={"rate_limit_per_minute": 5})
    async with open_door(few) as door:
        assert (await door.ask(bearer=old)).status == 200
        redis_server.stop()
        try:
            given = await statuses(door, bearer, 12)
        finally:
            redis_server.start()
            await redis_server.ready()

        async def shared_again() -> bool:
            return (await door.ask(bearer=token())).headers["ratelimit"].startswith('"default";r=4')

        await eventually(shared_again, what="Redis to be asked again")

    assert sorted(given) == [200] * 5 + [429] * 7


async def test_a_frozen_redis_delays_nobody_for_long(
    strict: GatewaySettings, redis_server: RedisServer
) -> None:
    async with open_door(strict) as door:
        assert (await door.ask(bearer=token())).status == 200
        redis_server.freeze()
        try:
            async with asyncio.timeout(5):
                given = [(await door.ask(bearer=token())).status for _ in range(10)]
        finally:
            redis_server.thaw()

    assert given == [200] * 10

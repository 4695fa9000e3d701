"""The limit and revocation, on a real Redis."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address, ip_network
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


GUARDED = [
    ("/api/auth/login", "login"),
    ("/api/users", "register"),
    ("/api/auth/password/forgot", "forgot"),
    ("/api/auth/mfa/challenge", "mfa"),
]


@pytest.fixture
def guarded(settings: GatewaySettings) -> GatewaySettings:
    """Two of each guarded request a minute; the address is what the client says."""
    limits = {f"{policy}_limit_per_minute": 2 for _, policy in GUARDED}
    networks = (ip_network("127.0.0.0/8"),)
    return settings.model_copy(update={**limits, "trusted_proxies": networks})


def from_somewhere() -> str:
    """Return the header that gives a request an address nobody else has."""
    return f"X-Forwarded-For: {ip_address(uuid4().int)}\r\n"


@pytest.mark.parametrize(("path", "policy"), GUARDED)
async def test_what_tries_secrets_is_limited_by_address_through_two_gateways(
    guarded: GatewaySettings, unused_tcp_port_factory: Callable[[], int], path: str, policy: str
) -> None:
    here, elsewhere = from_somewhere(), from_somewhere()
    twin = guarded.model_copy(update={"metrics_port": unused_tcp_port_factory()})

    async with open_door(guarded) as one, open_door(twin) as two:
        first = await one.ask(path, method="POST", body=b"{}", headers=here)
        # Neither a token nor another spelling of the path makes it another request.
        spelled = path if path == "/api/users" else f"{path[:-1]}%{ord(path[-1]):02X}"
        second = await two.ask(spelled, method="POST", body=b"{}", headers=here, bearer=token())
        refused = await two.ask(path, method="POST", body=b"{}", headers=here)
        read = await one.ask(path, headers=here)
        other = await one.ask(path, method="POST", body=b"{}", headers=elsewhere)

    assert (first.status, second.status) == (200, 200)
    assert first.headers["ratelimit-policy"] == f'"{policy}";q=2;w=60, "default";q=100000;w=60'
    assert first.headers["ratelimit"] == f'"{policy}";r=1;t=60, "default";r=99999;t=60'
    refused.assert_problem(429, "rate_limited")
    assert refused.headers["ratelimit"].startswith(f'"{policy}";r=0;t=')
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (read.status, other.status) == (200, 200)


async def test_a_refused_login_takes_nothing_from_the_general_limit(
    guarded: GatewaySettings,
) -> None:
    here = from_somewhere()
    async with open_door(guarded) as door:
        for _ in range(5):
            await door.ask("/api/auth/login", method="POST", body=b"{}", headers=here)
        given = await door.ask(headers=here)

    assert given.headers["ratelimit"] == '"default";r=99997;t=60'


async def test_a_limit_is_changed_while_the_gateway_runs(strict: GatewaySettings) -> None:
    bearer = token()
    async with open_door(strict) as door:
        before = [(await door.ask(bearer=bearer)).status for _ in range(3)]
        door.gateway.limiter.set_limit("default", 4)
        lowered = [await door.ask(bearer=bearer) for _ in range(2)]
        door.gateway.limiter.set_limit("default", 6)
        raised = [(await door.ask(bearer=bearer)).status for _ in range(3)]

    assert before == [200] * 3
    assert [answer.status for answer in lowered] == [200, 429]
    assert lowered[1].headers["ratelimit-policy"] == '"default";q=4;w=60'
    assert raised == [200, 200, 429]


class Traffic:
    """What Redis has been asked since it was last looked at."""

    def __init__(self, redis: BlockingRedis) -> None:
        self._redis = redis
        self._scripts, self._reads = self._now()

    def _now(self) -> tuple[int, int]:
        commands = self._redis.info("commandstats")
        scripts = commands.get("cmdstat_evalsha", {"calls": 0})["calls"]
        return scripts, self._redis.info("stats")["total_reads_processed"]

    def since(self) -> tuple[int, int]:
        """Return scripts run and reads from sockets, less the two of looking."""
        scripts, reads = self._now()
        return scripts - self._scripts, reads - self._reads - 2


async def test_token_limit_and_revocation_are_one_round_trip(
    door: Door, redis_server: RedisServer
) -> None:
    bearer = token()
    assert (await door.ask(bearer=bearer)).status == 200
    with BlockingRedis(port=redis_server.port) as redis:
        traffic = Traffic(redis)

        given = [(await door.ask(bearer=bearer)).status for _ in range(10)]

        assert given == [200] * 10
        assert traffic.since() == (10, 10)


async def test_the_requests_of_one_tick_share_a_round_trip(
    door: Door, redis_server: RedisServer
) -> None:
    limiter = door.gateway.limiter
    subjects = [limiter.subject(f"u:{uuid4()}", "default") for _ in range(20)]
    await limiter.check(subjects[0])
    with BlockingRedis(port=redis_server.port) as redis:
        traffic = Traffic(redis)

        verdicts = await asyncio.gather(*(limiter.check(subject) for subject in subjects))

        assert all(verdict.is_shared for verdict in verdicts)
        assert traffic.since() == (20, 1)


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

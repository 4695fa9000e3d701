"""The limit over gateways that are processes of their own, with their Redis in one piece or not."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from uuid import UUID, uuid4

import pytest

from gateway.settings import GatewaySettings
from shop.stack.ports import is_taken
from tests.integration.gateway.conftest import RedisServer
from tests.integration.gateway.harness import Door, token
from tests.waiting import eventually

LIMIT = 30
GATEWAYS = 3


def environment(settings: GatewaySettings, port: int, metrics_port: int) -> dict[str, str]:
    url = settings.user_url[0]
    services = {f"SHOP_{name}_URL": url for name in ("USER", "CATALOG", "ORDER", "NOTIFICATION")}
    return {
        **os.environ,
        **services,
        "SHOP_PROFILE": "test",
        "SHOP_LOG_LEVEL": "WARNING",
        "SHOP_PORT": str(port),
        "SHOP_METRICS_PORT": str(metrics_port),
        "SHOP_REDIS_URL": settings.redis_url,
        "SHOP_JWKS_URL": settings.jwks_url,
        "SHOP_RATE_LIMIT_PER_MINUTE": str(LIMIT),
        # A Redis that is slow on a busy machine is not away.
        "SHOP_REDIS_TIMEOUT_S": "5",
    }


@pytest.fixture
def started(
    settings: GatewaySettings, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> Iterator[list[Door]]:
    """Gateways of the limit LIMIT, each a process that has been started."""
    running, doors = [], []
    for number in range(GATEWAYS):
        door = Door(unused_tcp_port_factory(), settings)
        env = environment(settings, door.port, unused_tcp_port_factory())
        with (tmp_path / f"gateway-{number}.log").open("wb") as log:
            command = [sys.executable, "-m", "gateway.main"]
            running.append(Popen(command, env=env, stdout=log, stderr=log))
        doors.append(door)
    yield doors
    for process in running:
        process.terminate()
    for process in running:
        process.wait(timeout=20)


@pytest.fixture
async def doors(started: list[Door]) -> list[Door]:
    await eventually(lambda: all(is_taken(door.port) for door in started), what="the gateways")
    return started


async def admitted(door: Door, user: UUID, count: int) -> int:
    """Return how many of this many requests at once, by several tokens of one user, pass."""
    bearers = [token(user) for _ in range(3)]
    answers = await asyncio.gather(
        *(door.ask(bearer=bearers[number % len(bearers)]) for number in range(count))
    )
    assert {answer.status for answer in answers} <= {200, 429}
    return sum(answer.status == 200 for answer in answers)


async def everywhere(doors: list[Door], user: UUID, count: int) -> list[int]:
    return await asyncio.gather(*(admitted(door, user, count) for door in doors))


async def test_processes_share_the_limit_before_and_after_redis_was_away(
    doors: list[Door], redis_server: RedisServer
) -> None:
    early, late = uuid4(), uuid4()
    assert sum(await everywhere(doors, uuid4(), LIMIT)) == LIMIT

    before = await everywhere(doors, early, 5)
    redis_server.stop()
    try:
        away = await everywhere(doors, early, LIMIT)
    finally:
        redis_server.start()
        await redis_server.ready()
    await eventually(lambda: is_shared_again(doors), what="all gateways to be back at Redis")
    back = await everywhere(doors, early, LIMIT)
    shared = await everywhere(doors, late, LIMIT)

    assert before == [5, 5, 5]
    # Alone, each lets in what it has not let in before; a new Redis gives nobody a new start.
    assert away == [LIMIT - 5] * GATEWAYS
    assert back == [0] * GATEWAYS
    assert sum(shared) == LIMIT


async def is_shared_again(doors: list[Door]) -> bool:
    """Tell whether a user's third request is counted as the third, each at another gateway."""
    bearer = token()
    given = [(await door.ask(bearer=bearer)).headers["ratelimit"] for door in doors]
    return given[-1].startswith(f'"default";r={LIMIT - GATEWAYS};')

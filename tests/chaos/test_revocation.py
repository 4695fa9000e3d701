"""Redis dies and comes back without its memory: what was revoked stays revoked."""

import shutil
import sys
from collections.abc import Callable, Iterator
from os import environ

import httpx2
import pytest

from shop.stack.layout import REPOSITORY
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports
from shop.stack.processes import Spec
from tests.plain import NO_TLS
from tests.shopper import Shopper
from tests.waiting import eventually

SECOND = "gateway-second"
KNOWN_AGAIN_WITHIN_S = 5.0
REVOKED_WITHIN_S = 1.0


@pytest.fixture
def two_gateways(whole: NativeStack) -> Iterator[list[str]]:
    """Start a second gateway beside the stack's own; return both addresses."""
    port, metrics_port = free_ports(2)
    ports = {"SHOP_PORT": str(port), "SHOP_METRICS_PORT": str(metrics_port)}
    environment = {**environ, **whole.environment("gateway"), **ports}
    argv = (sys.executable, "-m", "gateway.main")
    whole.processes.start(Spec(name=SECOND, argv=argv, env=environment, cwd=REPOSITORY))
    yield [whole.layout.url("gateway"), f"http://127.0.0.1:{port}"]
    whole.terminate(SECOND)


def restart_empty(stack: NativeStack) -> None:
    """Kill Redis and start it without what it had on its disk."""
    stack.kill("redis")
    shutil.rmtree(stack.layout.data / "redis", ignore_errors=True)
    stack.start_part("redis")


async def answers(gateways: list[str], person: Shopper) -> list[int]:
    """Return what each gateway and a service behind it say to the token; 0 for no answer."""
    found = []
    for gateway in gateways:
        async with httpx2.AsyncClient(base_url=gateway, verify=NO_TLS, timeout=10) as http:
            caller = Shopper(http, person.user_id, person.token)
            try:
                answer = await caller.request("GET", f"/api/users/{person.user_id}")
            except httpx2.TransportError:
                found.append(0)
            else:
                found.append(answer.status_code)
    return found


async def test_a_revoked_token_stays_dead_when_redis_comes_back_empty(
    whole: NativeStack, two_gateways: list[str], somebody: Callable[[], Shopper], admin: Shopper
) -> None:
    left, suspended, here = [await (await somebody().register()).login() for _ in range(3)]

    async def serves() -> bool:
        return await answers(two_gateways, here) == [200, 200]

    await eventually(serves, timeout_s=30, what="two gateways")
    assert (await left.request("POST", "/api/auth/logout")).status_code == 204
    path = f"/api/users/{suspended.user_id}/status"
    assert (await admin.request("PATCH", path, json={"status": "SUSPENDED"})).is_success

    async def are_refused() -> bool:
        return [await answers(two_gateways, one) for one in (left, suspended)] == [[401, 401]] * 2

    await eventually(are_refused, timeout_s=REVOKED_WITHIN_S, what="both tokens refused")
    restart_empty(whole)
    await eventually(are_refused, timeout_s=KNOWN_AGAIN_WITHIN_S, what="both refused again")
    await eventually(serves, timeout_s=10, what="others go on")


async def test_a_logout_while_redis_is_away_holds_once_it_is_back(
    whole: NativeStack, two_gateways: list[str], somebody: Callable[[], Shopper]
) -> None:
    person = await (await somebody().register()).login()
    whole.kill("redis")

    answer = await person.request("POST", "/api/auth/logout")
    whole.start_part("redis")

    assert answer.status_code == 204, answer.text

    async def is_refused() -> bool:
        return await answers(two_gateways, person) == [401, 401]

    await eventually(is_refused, timeout_s=KNOWN_AGAIN_WITHIN_S, what="the token refused")

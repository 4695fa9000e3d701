"""What the gateway knows of a client behind the edge."""

import re

import httpx2

from shop.stack.edge import Edge
from tests.conftest import Entrance
from tests.shopper import DEV_PASSWORD
from tests.waiting import eventually

LIES = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP")


async def remaining(entrance: Entrance, address: str, **headers: str) -> int:
    """How many requests the limiter leaves to that address after this one."""
    transport = httpx2.AsyncHTTPTransport(verify=entrance.trust, local_address=address)
    async with httpx2.AsyncClient(base_url=entrance.url, transport=transport) as client:
        answer = await client.get("/api/categories", headers=headers)
    assert answer.status_code == 200, answer.text
    found = re.search(r";r=(\d+)", answer.headers["ratelimit"])
    assert found
    return int(found[1])


async def test_a_client_does_not_escape_the_limit_by_naming_another_address(
    entrance: Entrance,
) -> None:
    first = await remaining(entrance, "127.0.0.77")

    after = [await remaining(entrance, "127.0.0.77", **{lie: "203.0.113.9"}) for lie in LIES]

    assert after == [first - n for n in range(1, len(LIES) + 1)]


async def test_two_addresses_are_counted_apart(entrance: Entrance) -> None:
    one, *_ = [await remaining(entrance, "127.0.0.78") for _ in range(3)]

    assert await remaining(entrance, "127.0.0.79") == one


async def test_who_calls_the_gateway_itself_is_not_believed(edge: Edge) -> None:
    gateway = Entrance(edge.layout.url("gateway"))
    first = await remaining(gateway, "127.0.0.80")

    after = await remaining(gateway, "127.0.0.80", **{"X-Forwarded-For": "203.0.113.10"})

    assert after == first - 1


async def test_inner_paths_stay_closed(http: httpx2.AsyncClient) -> None:
    for path in ("/metrics", "/internal/inventory/reserve", "/docs"):
        assert (await http.get(path)).status_code == 404


async def test_secrets_reach_no_log_of_the_edge(http: httpx2.AsyncClient, edge: Edge) -> None:
    login = {"email": "demo@shop.example", "password": DEV_PASSWORD}
    tokens = (await http.post("/api/auth/login", json=login)).json()
    await http.get(f"/api/orders?access_token={tokens['accessToken']}")
    wrong = "' OR 1=1-- not-my-password"
    await http.post("/api/auth/login", json=login | {"password": wrong})
    await http.get("/livez", headers={"X-Request-ID": "the-last-line"})

    log = await eventually(lambda: written(edge, "the-last-line"))
    secrets = (tokens["accessToken"], tokens["refreshToken"], DEV_PASSWORD, "not-my-password")
    assert not [secret for secret in secrets if secret in log]
    assert '"path":"/api/auth/login"' in log


def written(edge: Edge, last: str) -> str | None:
    """The log, once it holds that word: a line follows its answer a moment later."""
    log = (edge.layout.logs / "edge.log").read_text()
    return log if last in log else None

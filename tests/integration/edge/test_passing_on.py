"""What the gateways get from the edge, which of them, and what is written down of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shop.stack.edge import Edge
from shop.stack.ports import EDGE_SOURCE, LOOPBACK
from tests.integration.edge.harness import BROKEN, Gateway, Received, ask, json_request, request
from tests.waiting import eventually

LIES = (
    "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil.example\r\n"
    "X-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX_User_Id: 1\r\nX.User.Id: 1\r\n"
)


def received(gateways: tuple[Gateway, Gateway]) -> list[Received]:
    return [one for gateway in gateways for one in gateway.received]


def test_a_client_does_not_choose_its_address(
    edge: Edge, gateways: tuple[Gateway, Gateway]
) -> None:
    ask(edge, request(headers=LIES))

    (one,) = received(gateways)
    assert one.peer == EDGE_SOURCE
    assert one.headers.get_all("x-forwarded-for") == [LOOPBACK]
    assert one.headers.get_all("x-forwarded-proto") == ["https"]
    lies = {"x-forwarded-host", "x-real-ip", "forwarded", "x_user_id", "x.user.id"}
    assert not lies & {name.lower() for name in one.headers}


def test_the_path_goes_on_as_it_came(edge: Edge, gateways: tuple[Gateway, Gateway]) -> None:
    ask(edge, request(target="/api//products/a%20b;c/%E2%82%AC?q=a%2Bb+c"))

    (one,) = received(gateways)
    assert one.target == "/api//products/a%20b;c/%E2%82%AC?q=a%2Bb+c"


def test_a_request_has_one_id_all_the_way(edge: Edge, gateways: tuple[Gateway, Gateway]) -> None:
    ask(edge, request(headers="X-Request-ID: mine-1\r\n"))
    ask(edge, request(headers="X-Request-ID: not mine!\r\n"))
    ask(edge, request())

    first, *others = [one.headers["x-request-id"] for one in received(gateways)]
    assert first == "mine-1" or "mine-1" in others
    made = {first, *others} - {"mine-1"}
    assert len(made) == 2
    assert all(len(one) == 32 for one in made)


async def test_the_log_tells_of_each_request_and_holds_no_secret(edge: Edge) -> None:
    secrets = ("q-secret", "h-secret", "b-secret")
    ask(
        edge, request(target=f"/api/products?token={secrets[0]}", headers="X-Request-ID: log-1\r\n")
    )
    ask(
        edge,
        request(
            target=f"/api/products?q=<script>{secrets[0]}",
            headers=f"X-Request-ID: log-2\r\nAuthorization: Bearer {secrets[1]}\r\n",
        ),
    )
    ask(edge, json_request(f"{BROKEN}?{secrets[0]}", {"password": secrets[2]}))
    log = edge.layout.logs / "edge.log"

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines() if line[0] == "{"]

    await eventually(lambda: {"log-1", "log-2"} <= {one.get("request_id") for one in lines()})
    (passed,) = [one for one in lines() if one.get("request_id") == "log-1"]
    (refused,) = [one for one in lines() if one.get("request_id") == "log-2"]
    assert (passed["path"], passed["status"], passed["client"]) == ("/api/products", 200, LOOPBACK)
    assert (refused["path"], refused["status"]) == ("/api/products", 403)
    assert not [secret for secret in secrets if secret in log.read_text()]


def test_a_post_that_was_sent_is_not_sent_again(
    edge: Edge, gateways: tuple[Gateway, Gateway]
) -> None:
    assert ask(edge, json_request(BROKEN, {})).status == 502

    assert [one.method for one in received(gateways)] == ["POST"]


def test_a_get_that_failed_is_asked_of_the_next(
    edge: Edge, gateways: tuple[Gateway, Gateway]
) -> None:
    assert ask(edge, request(target=BROKEN)).status == 502

    assert [len(gateway.received) for gateway in gateways] == [1, 1]


def test_a_gateway_that_hangs_up_on_one_request_goes_on_serving_others(edge: Edge) -> None:
    for _ in range(5):
        assert ask(edge, request(target=BROKEN)).status == 502
        assert ask(edge, request()).status == 200


@pytest.fixture
def alone(gateways: tuple[Gateway, Gateway]) -> Iterator[Gateway]:
    """One gateway, while the other is away."""
    away, there = gateways
    away.close()
    yield there
    away.reopen()


def test_nothing_is_lost_while_a_gateway_is_away(edge: Edge, alone: Gateway) -> None:
    answers = [ask(edge, json_request("/api/orders", {"n": n})).status for n in range(10)]

    assert answers == [200] * 10
    assert [json.loads(one.body)["n"] for one in alone.received] == list(range(10))

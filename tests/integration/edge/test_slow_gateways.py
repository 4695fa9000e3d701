"""What nginx says for a gateway that takes a request and then keeps silent."""

from collections.abc import Iterator, Mapping

import pytest

from shop.stack.edge import Edge
from tests.integration.edge.conftest import SETTINGS
from tests.integration.edge.harness import (
    HELD,
    Gateway,
    ask,
    assert_problem,
    json_request,
    request,
)


@pytest.fixture(scope="module")
def settings() -> Mapping[str, str]:
    return SETTINGS | {"SHOP_EDGE_GATEWAY_TIMEOUT_S": "1"}


@pytest.fixture
def silent(gateways: tuple[Gateway, Gateway]) -> Iterator[tuple[Gateway, Gateway]]:
    """Two gateways that hold what is asked of them at `/held` until the end of the test."""
    yield gateways
    for gateway in gateways:
        gateway.released.set()


def test_a_post_that_is_not_answered_is_a_504_and_not_sent_again(
    edge: Edge, silent: tuple[Gateway, Gateway]
) -> None:
    answer = ask(edge, json_request(HELD, {}))

    assert_problem(answer, 504, "upstream_timeout")
    assert answer.headers["retry-after"] == "1"
    assert sum(len(gateway.received) for gateway in silent) == 1


def test_a_get_that_is_not_answered_by_anybody_is_a_504(
    edge: Edge, silent: tuple[Gateway, Gateway]
) -> None:
    assert_problem(ask(edge, request(target=HELD)), 504, "upstream_timeout")
    assert [len(gateway.received) for gateway in silent] == [1, 1]


def test_a_get_that_is_not_answered_is_asked_of_the_next(
    edge: Edge, silent: tuple[Gateway, Gateway]
) -> None:
    silent[1].released.set()

    # They are asked in turns, so one of the two begins with the silent one.
    assert [ask(edge, request(target=HELD)).status for _ in range(2)] == [200, 200]
    assert len(silent[0].received) == 1


def test_a_gateway_that_is_silent_on_one_request_goes_on_serving_others(
    edge: Edge, silent: tuple[Gateway, Gateway]
) -> None:
    assert ask(edge, json_request(HELD, {})).status == 504
    assert [ask(edge, request()).status for _ in range(4)] == [200] * 4
    assert all(gateway.received for gateway in silent)

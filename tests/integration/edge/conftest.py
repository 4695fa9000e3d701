"""Nginx as the stack starts it, in front of gateways that only write down what they are sent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from rich.console import Console

from shop.stack.edge import Edge
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.progress import Progress
from tests.integration.edge.harness import Gateway

SETTINGS = {
    "SHOP_EDGE_HEADER_TIMEOUT_S": "1",
    "SHOP_EDGE_BODY_TIMEOUT_S": "1",
    "SHOP_EDGE_SEND_TIMEOUT_S": "1",
    "SHOP_EDGE_REQUESTS": "5",
    "SHOP_EDGE_CONNECTIONS": "20",
}


@pytest.fixture(scope="module")
def gateways() -> Iterator[tuple[Gateway, Gateway]]:
    """Two gateways behind the edge."""
    first, second = Gateway(), Gateway()
    yield first, second
    first.close()
    second.close()


@pytest.fixture(scope="module")
def settings() -> Mapping[str, str]:
    """Return the SHOP_EDGE_* of this module's edge."""
    return SETTINGS


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    gateways: tuple[Gateway, Gateway],
    settings: Mapping[str, str],
) -> Iterator[Edge]:
    """Fails where nginx or ModSecurity cannot be had: the edge is not to go out untested."""
    first, second = gateways
    layout = Layout.for_tests(tmp_path_factory.mktemp("edge"))
    layout = replace(
        layout,
        ports=replace(layout.ports, gateway=first.port),
        twins={"gateway-2": second.port},
    )
    stack = NativeStack(layout, Progress(Console()))
    yield stack.start_edge(settings)
    stack.reset()


@pytest.fixture(autouse=True)
def fresh(gateways: tuple[Gateway, Gateway]) -> None:
    for gateway in gateways:
        gateway.received.clear()
        gateway.released.clear()

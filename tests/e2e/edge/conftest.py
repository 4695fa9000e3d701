"""Here the shop is entered by the edge."""

import pytest

from shop.stack.edge import Edge
from tests.conftest import Entrance


@pytest.fixture(scope="session")
def entrance(edge: Edge) -> Entrance:
    return Entrance(edge.url, edge.trust())

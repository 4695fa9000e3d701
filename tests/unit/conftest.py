"""Unit tests do no I/O: sockets are blocked, but for the event loop's own pair."""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket(allow_unix_socket=True)

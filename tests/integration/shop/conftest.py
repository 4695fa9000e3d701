"""Processes of the tests' own, beside those of the stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.stack.processes import Processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """What is started by these is killed at the end of the test."""
    made = Processes(tmp_path / "run", tmp_path / "log")
    yield made
    for name in made.names():
        made.kill(name)

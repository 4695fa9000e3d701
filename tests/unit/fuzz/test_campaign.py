"""A run of generated requests ends when it is told to."""

import pytest
from schemathesis.engine import events

from tests.fuzz.campaign import Report, _hear


def test_what_stops_a_walk_by_hand_stops_the_run() -> None:
    """The library ends one walk at Ctrl-C; the next must not begin."""
    with pytest.raises(KeyboardInterrupt):
        _hear(events.Interrupted(phase=None), Report(seed=1))

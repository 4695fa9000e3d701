"""The pictures and the licence that the mission asks for are there."""

from pathlib import Path

import pytest

from shop.stack.ports import Ports

ROOT = Path(__file__).resolve().parents[3]
DIAGRAMS = ("architecture", "event-bus", "order-flow", "database-architecture", "scaling-roadmap")
# Second ports of what is there already, and a page for looking into Redis.
UNDRAWN = {"gateway_metrics", "edge_http", "redis_commander"}


@pytest.mark.parametrize("name", DIAGRAMS)
def test_each_of_the_five_diagrams_has_source_and_pictures(name: str) -> None:
    folder = ROOT / "docs" / "diagrams"

    assert (folder / f"{name}.dot").read_text(encoding="utf-8").strip()
    assert (folder / f"{name}.svg").read_bytes().lstrip().startswith(b"<?xml")
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_architecture_shows_all_that_runs_with_its_port() -> None:
    picture = (ROOT / "docs" / "diagrams" / "architecture.svg").read_text(encoding="utf-8")
    ports = {name: getattr(Ports(), name) for name in Ports.names() if name not in UNDRAWN}

    assert {name for name, port in ports.items() if f":{port}" not in picture} == set()


def test_the_licence_is_mit() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")

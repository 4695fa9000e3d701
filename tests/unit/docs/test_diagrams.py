"""The pictures and the licence that the mission asks for are there."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DIAGRAMS = ("architecture", "event-bus", "order-flow", "database-architecture", "scaling-roadmap")


@pytest.mark.parametrize("name", DIAGRAMS)
def test_each_of_the_five_diagrams_has_source_and_pictures(name: str) -> None:
    folder = ROOT / "docs" / "diagrams"

    assert (folder / f"{name}.dot").read_text(encoding="utf-8").strip()
    assert (folder / f"{name}.svg").read_bytes().lstrip().startswith(b"<?xml")
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_licence_is_mit() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")

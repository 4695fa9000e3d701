"""The rows of docs/traceability.md: an item of the mission and the tests that prove it."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")


@dataclass(frozen=True, slots=True)
class Row:
    """An item by its number, what stands as its proof, and the tests named there."""

    item: int
    proof: str
    tests: tuple[str, ...]


def rows() -> list[Row]:
    text = (ROOT / "docs" / "traceability.md").read_text(encoding="utf-8")
    return [
        Row(int(item), proof, tuple(_TEST.findall(proof))) for item, _, proof in _ROW.findall(text)
    ]

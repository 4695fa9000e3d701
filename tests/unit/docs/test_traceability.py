"""docs/traceability.md names an existing test for each item of the mission, or calls it open."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ITEMS = 171
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|$")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def listed() -> list[tuple[int, str]]:
    text = (ROOT / "docs" / "traceability.md").read_text(encoding="utf-8")
    found = (ROW.match(line) for line in text.splitlines())
    return [(int(row[1]), row[3]) for row in found if row]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_every_item_of_the_mission_is_listed_once() -> None:
    assert [number for number, _ in listed()] == list(range(1, ITEMS + 1))


def test_every_item_names_a_test_or_says_that_it_is_open() -> None:
    silent = [
        number for number, proof in listed() if not TEST.search(proof) and "open" not in proof
    ]

    assert silent == []


def test_every_named_test_exists() -> None:
    missing = [
        f"{path}::{name}"
        for _, proof in listed()
        for path, name in TEST.findall(proof)
        if not (ROOT / path).exists() or name not in names_in(path)
    ]

    assert missing == []

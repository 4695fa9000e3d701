"""Decisions are numbered one after the other, and the index lists each of them."""

import re
from pathlib import Path

RECORDS = Path(__file__).resolve().parents[3] / "docs" / "adr"


def names() -> list[str]:
    return sorted(path.name for path in RECORDS.glob("[0-9]*.md"))


def test_each_number_is_given_once_and_none_is_left_out() -> None:
    assert [int(name[:4]) for name in names()] == list(range(1, len(names()) + 1))


def test_each_record_carries_its_number_in_its_title() -> None:
    titles = {
        name: (RECORDS / name).read_text(encoding="utf-8").splitlines()[0] for name in names()
    }
    assert [name for name, title in titles.items() if not title.startswith(f"# {name[:4]}: ")] == []


def test_the_index_lists_every_record_once_and_in_order() -> None:
    index = (RECORDS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d{4}-[^)]+\.md)\)", index) == names()

"""docs/problems.md explains every code that an answer can carry."""

import re
from pathlib import Path

from common_lib.errors import NotFound
from common_lib.problems import problem_of
from common_lib.problems.fixes import FIXES

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = (
    "common_lib",
    "user_service",
    "catalog_service",
    "order_service",
    "notification_service",
    "gateway",
)
CODE = re.compile(r'^\s+code(?:: ClassVar\[str\])? = "(\w+)"', re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)`", re.MULTILINE)
FIX = re.compile(r"^\| `(\w+)` \|.*\| (.+) \|$", re.MULTILINE)
# The default of the base class, which nothing raises as it is.
NEVER_ANSWERED = {"error"}


def test_every_code_has_its_row_and_rows_are_sorted() -> None:
    used = {
        code
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for code in CODE.findall(path.read_text(encoding="utf-8"))
    }
    explained = ROW.findall((ROOT / "docs" / "problems.md").read_text(encoding="utf-8"))

    assert used - NEVER_ANSWERED - set(explained) == set()
    assert explained == sorted(explained)


def test_what_an_answer_advises_is_what_its_row_says() -> None:
    rows = FIX.findall((ROOT / "docs" / "problems.md").read_text(encoding="utf-8"))
    said = {code: fix.replace("`", "").lower() for code, fix in rows}

    assert {code: fix.lower() for code, fix in FIXES.items()}.items() <= said.items()
    assert len(FIXES) > 0.9 * len(said)


def test_a_detail_adds_something_to_the_title() -> None:
    usual, special = problem_of(NotFound()), problem_of(NotFound("there is no such shelf"))

    assert usual["detail"] == FIXES["not_found"] != usual["title"]
    assert special["detail"] == "there is no such shelf"

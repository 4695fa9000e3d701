"""docs/problems.md explains every code that an answer can carry."""

import re
from pathlib import Path

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

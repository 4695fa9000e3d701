"""The documents promise nothing that is not there: routes, tasks, commands and codes."""

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
import typer.main

import catalog_service.api
import notification_service.api
import order_service.api
import user_service.api
from shop.cli import app
from tests.rights.routes import routes_of

ROOT: Final = Path(__file__).resolve().parents[3]
# What was decided once stands as it was; what is planned is in no document.
PAGES: Final = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CALL: Final = re.compile(
    r"\b(GET|POST|PUT|PATCH|DELETE) (/(?:api|internal|\.well-known)[\w/{}.-]*)"
)
TASK: Final = re.compile(r"`make ([a-z][\w-]*)")
COMMAND: Final = re.compile(r"`shop ([a-z][\w-]*)")
ROUTERS: Final = (
    (user_service.api.ROUTERS, ()),
    (catalog_service.api.ROUTERS, catalog_service.api.ROUTES),
    (order_service.api.ROUTERS, order_service.api.ROUTES),
    ((notification_service.api.router,), ()),
)
PACKAGES: Final = (
    "common_lib",
    "user_service",
    "catalog_service",
    "order_service",
    "notification_service",
    "gateway",
    "shop",
    "deploy",
)


def shape(path: str) -> str:
    """Return a path with its parameters unnamed."""
    return re.sub(r"\{[^}]*\}", "{}", path.rstrip("/."))


@cache
def built() -> frozenset[tuple[str, str]]:
    found = {route for routers in ROUTERS for route in routes_of(*routers)}
    return frozenset((method, shape(path)) for method, path in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_call_a_document_names_is_there(page: Path) -> None:
    # Of one that answers 405 the changelog says so.
    missing = {
        (method, path)
        for method, path in CALL.findall(page.read_text(encoding="utf-8"))
        if (method, shape(path)) not in built() and path != "/api/inventory/low-stock"
    }

    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_task_and_command_a_document_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]

    assert set(TASK.findall(text)) - set(targets) == set()
    assert set(COMMAND.findall(text)) - set(commands) == set()


def test_every_code_that_is_explained_can_be_met() -> None:
    rows = re.findall(
        r"^\| `(\w+)`", (ROOT / "docs" / "problems.md").read_text("utf-8"), re.MULTILINE
    )
    files = (
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in {".py", ".template", ".conf", ".html", ".j2", ""}
    )
    code = "\n".join(path.read_text(encoding="utf-8", errors="ignore") for path in files)

    assert [row for row in rows if row not in code] == []
    assert len(rows) > 100

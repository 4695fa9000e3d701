"""Each `shop` command with a part down, a wrong password or a full disk: one line, and its fix."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from shop.stack.environment import database_variable
from shop.stack.layout import REPOSITORY, SERVICES
from shop.stack.native import NativeStack
from shop.stack.ports import Ports, port_variable

TIMEOUT_S = 120
TOOLS = {
    "audit": ("audit",),
    "seed": ("seed",),
    "demo": ("demo",),
    "flashsale": ("flashsale", "--buyers", "1", "--stock", "1"),
    "reindex": ("reindex",),
    "limits show": ("limits", "show"),
    "migrate": ("migrate", "all"),
    "queues": ("queues",),
    "bus replay": ("bus", "replay"),
    "bus drain": ("bus", "drain"),
    "outbox replay": ("outbox", "replay", "--since", "1h"),
    "keys list": ("keys", "list", "--file", "/nowhere/jwt.pem"),
}
OF_MYSQL = ("audit", "seed", "reindex", "migrate", "bus replay", "bus drain", "outbox replay")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of a stack of which nothing runs."""
    return tmp_path / "local"


def shop(*words: str, home: Path, ports: Ports, **more: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
    places = {port_variable(name): str(port) for name, port in ports.items()}
    env = {**ours, **places, "SHOP_LOCAL": str(home), "STACK": "native", **more}
    return subprocess.run(
        (sys.executable, "-m", "shop", *words),
        env=env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def assert_told_plainly(ran: subprocess.CompletedProcess[str]) -> str:
    """The error is one line with its fix, and nothing but it is on stderr."""
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    [line] = ran.stderr.strip().splitlines()
    assert line.startswith("error: "), line
    assert ". Fix: " in line, line
    assert "fault of ours" not in line, line
    return line


@pytest.fixture(scope="module")
def nowhere() -> Ports:
    return Ports.free()


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_without_a_stack_says_so_in_one_line(home: Path, nowhere: Ports, tool: str) -> None:
    assert_told_plainly(shop(*TOOLS[tool], home=home, ports=nowhere))


def with_databases(parts: NativeStack) -> Mapping[str, str]:
    bus = {key: value for key, value in parts.environment("order").items() if "_AWS_" in key}
    return bus | {database_variable(name): parts.database_url(name) for name in SERVICES}


@pytest.mark.parametrize("tool", ["bus replay", "bus drain"])
def test_a_tool_without_the_bus_says_so_in_one_line(
    parts: NativeStack, home: Path, nowhere: Ports, tool: str
) -> None:
    away = f"http://127.0.0.1:{nowhere.localstack}"
    environment = {
        **with_databases(parts),
        "SHOP_AWS_ENDPOINT_URL": away,
    }
    ran = shop(*TOOLS[tool], home=home, ports=nowhere, **environment)
    assert "LocalStack" in assert_told_plainly(ran)


@pytest.mark.parametrize("tool", OF_MYSQL)
def test_a_wrong_password_is_told_in_one_line(parts: NativeStack, home: Path, tool: str) -> None:
    """The keys were made anew, the data is an older one's."""
    wrong = {
        variable: url.replace(parts.secrets.mysql_password, "wrong")
        for variable, url in with_databases(parts).items()
    }
    if tool == "migrate":
        wrong = {"SHOP_DATABASE_URL": wrong["SHOP_USER_DATABASE_URL"]}
    words = ("migrate", "user") if tool == "migrate" else TOOLS[tool]
    assert "refuses the account" in assert_told_plainly(
        shop(*words, home=home, ports=parts.layout.ports, **wrong)
    )


@pytest.mark.parametrize("words", [("status",), ("logs",), ("logs", "order"), ("down",)])
def test_looking_at_a_stack_that_is_not_there_shows_no_traceback(
    home: Path, nowhere: Ports, words: tuple[str, ...]
) -> None:
    ran = shop(*words, home=home, ports=nowhere)
    assert "Traceback" not in ran.stdout + ran.stderr
    assert ran.returncode in {0, 1}
    assert ran.stdout or ran.stderr


@pytest.mark.parametrize("words", [("up",), ("status",), ("audit",), ("doctor",), ("keys", "list")])
def test_a_folder_that_may_not_be_written_is_told_in_one_line(
    nowhere: Ports, words: tuple[str, ...]
) -> None:
    """/proc takes no folder from anybody, root included."""
    ran = shop(*words, home=Path("/proc/shop"), ports=nowhere)
    assert "Traceback" not in ran.stdout + ran.stderr

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.stack import ports
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY
from shop.stack.ports import Ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_free_ports_differ_and_lie_below_the_ephemeral_range() -> None:
    found = [port for _, port in Ports.free().items()]
    assert len(set(found)) == len(found)
    assert all(20_000 <= port < 32_000 for port in found)


def test_a_taken_port_is_told_with_its_holder(taken_port: int) -> None:
    with pytest.raises(StackError) as refusal:
        ports.refuse_taken({"redis": taken_port})
    assert f"port {taken_port} for redis is taken by" in refusal.value.cause
    assert f"(pid {os.getpid()})" in refusal.value.cause
    assert f"kill {os.getpid()}" in refusal.value.fix


def test_up_refuses_a_taken_port_with_one_line_and_starts_nothing(
    taken_port: int, tmp_path: Path
) -> None:
    free = {ports.port_variable(name): str(port) for name, port in Ports.free().items()}
    env = {
        **os.environ,
        **free,
        "SHOP_REDIS_PORT": str(taken_port),
        "SHOP_LOCAL": str(tmp_path),
        "STACK": "native",
    }
    up = subprocess.run(
        (sys.executable, "-m", "shop", "up"),
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert up.returncode == 1
    [line] = up.stderr.splitlines()
    assert line.startswith(f"error: port {taken_port} for redis is taken by ")
    assert "SHOP_REDIS_PORT=" in line
    assert not list(tmp_path.glob("run/*.pid"))

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shop.stack import localstack, ports
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY, Layout
from shop.stack.ports import Ports
from shop.stack.progress import Progress

# A window of our own: a second run of these tests beside this one would claim the same ports.
FIRST = 10_000 + os.getpid() % 50 * 200


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


def test_two_programs_are_never_given_the_same_port() -> None:
    few = range(FIRST, FIRST + 100)
    program = (
        f"from shop.stack.ports import *; print(*free_ports(40, {few!r}), flush=True); input()"
    )
    with subprocess.Popen(
        (sys.executable, "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = set(ports.free_ports(40, few))
        other.communicate("\n")
    assert len(theirs) == len(ours) == 40
    assert not ours & theirs


def test_what_is_given_out_once_is_not_given_again() -> None:
    few = range(FIRST + 100, FIRST + 140)
    first, second = ports.free_ports(15, few), ports.free_ports(15, few)
    assert not set(first) & set(second)


def test_a_range_that_is_used_up_is_told() -> None:
    with pytest.raises(
        StackError, match=f"no free port is left between {FIRST + 140} and {FIRST + 142}"
    ):
        ports.free_ports(4, range(FIRST + 140, FIRST + 143))


def test_localstack_ends_when_its_port_is_taken(taken_port: int, tmp_path: Path) -> None:
    layout = Layout.for_tests(tmp_path)
    layout = replace(layout, ports=replace(layout.ports, localstack=taken_port))
    localstack.prepare(layout, Progress.silent())
    spec = localstack.spec(layout)
    ended = subprocess.run(
        spec.argv,
        env=spec.env,
        cwd=spec.cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert f"127.0.0.1:{taken_port}: [Errno 98] Address already in use" in ended.stderr


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


@pytest.mark.parametrize("settings", [{"SHOP_PORT_OFFSET": "30000"}, {"SHOP_REDIS_PORT": "40000"}])
def test_up_and_doctor_warn_of_ports_that_connections_take(
    taken_port: int, tmp_path: Path, settings: dict[str, str]
) -> None:
    first, last = ports.Outgoing.of_this_machine().first, ports.Outgoing.of_this_machine().last
    # Something that ends `up` before it starts anything.
    env = {**os.environ, "SHOP_USER_PORT": str(taken_port), "SHOP_LOCAL": str(tmp_path)}
    warning = f"outgoing connections of this machine take ports from {first} to {last}, and by "

    for command in ("up", "doctor"):
        told = subprocess.run(
            (sys.executable, "-m", "shop", command),
            cwd=REPOSITORY,
            env={**env, **settings, "STACK": "native"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert warning in told.stdout, command
        assert told.returncode == 1

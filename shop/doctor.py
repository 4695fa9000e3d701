"""Examines this machine for what the local stack needs."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shop.stack import checks, edge, localstack, mysql, ports, redis
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.memory import Kind
from shop.stack.native import NativeStack

OLDEST_PYTHON = (3, 11)
MEMORY_NEEDED_GIB = 3.0
# Who listens on a second port.
OWNERS = {"gateway_metrics": "gateway", "edge_http": "edge"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``fix`` is empty where nothing needs doing."""

    is_fine: bool
    fact: str
    fix: str = ""
    is_fatal: bool = False

    @property
    def line(self) -> str:
        mark = "ok  " if self.is_fine else "FAIL" if self.is_fatal else "note"
        return f"{mark}  {self.fact}" + (f". Fix: {self.fix}" if self.fix else "")


def examine(layout: Layout, *, kind: Kind, docker_answers: bool) -> list[Finding]:
    """Look at everything a stack of that kind needs; nothing is changed, fetched or started."""
    return [
        _system(docker_answers=docker_answers),
        _docker(kind, docker_answers=docker_answers),
        _python(),
        _disk(layout),
        _memory(),
        *_programs(layout),
        *_ports(layout),
    ]


def _system(*, docker_answers: bool) -> Finding:
    fact = f"{platform.system()} on {platform.machine()}"
    if sys.platform == "linux" or docker_answers:
        return Finding(True, fact)
    return Finding(False, fact, "the stack needs Linux or a running Docker", is_fatal=True)


def _docker(kind: Kind, *, docker_answers: bool) -> Finding:
    """Say which stack `make up` would start, and why."""
    engine = f"{'a' if docker_answers else 'no'} Docker engine with Compose answers"
    if kind is Kind.NATIVE:
        return Finding(True, f"{engine}: make up runs natively")
    if docker_answers:
        return Finding(True, f"{engine}: make up uses it")
    return Finding(False, f"{engine}, which make up would use", "start it, or STACK=native", True)


def _python() -> Finding:
    fact = f"Python {platform.python_version()}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding(True, fact)
    return Finding(False, fact, "install Python 3.11 or newer", is_fatal=True)


def _disk(layout: Layout) -> Finding:
    free, needed = checks.free_bytes(layout.home), checks.needed_bytes(layout)
    fact = f"{free / checks.GIB:.1f} GB of disk free, {needed / checks.GIB:.1f} GB needed"
    return Finding(free >= needed, fact, "" if free >= needed else "make room", is_fatal=True)


def _memory() -> Finding:
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(rows["MemAvailable"].split()[0]) / 2**20
    fact = f"{available:.1f} GB of memory available, {MEMORY_NEEDED_GIB:.0f} GB needed"
    fine = available >= MEMORY_NEEDED_GIB
    return Finding(fine, fact, "" if fine else "stop other programs")


def _programs(layout: Layout) -> Iterator[Finding]:
    has_apt = shutil.which("apt-get") is not None
    yield _mysql(layout, can_be_had=has_apt)
    yield _program("Redis", _redis(layout), can_be_had=True)
    yield _edge(layout, can_be_had=has_apt)
    there = f"LocalStack {localstack.VERSION}" if localstack.is_fetched(layout) else None
    yield _program(f"LocalStack {localstack.VERSION}", there, can_be_had=True)
    root = os.geteuid() == 0
    yield Finding(True, "running as root" if root else "running without root, which suffices")


def _program(name: str, there: str | None, *, can_be_had: bool) -> Finding:
    if there is not None:
        return Finding(True, f"{there} is at hand")
    if can_be_had:
        return Finding(True, f"{name} is fetched by the first make up")
    return Finding(False, f"{name} is missing", f"install {name}", is_fatal=True)


def _mysql(layout: Layout, *, can_be_had: bool) -> Finding:
    """Name the server that runs or would run, which may be another than Compose's 8.4."""
    try:
        server = mysql.at_hand(layout)
    except StackError as error:
        return Finding(False, error.cause, error.fix, is_fatal=True)
    oldest = ".".join(map(str, mysql.OLDEST_MYSQL))
    there = None if server is None else server.label
    return _program(f"MySQL {oldest} or newer", there, can_be_had=can_be_had)


def _redis(layout: Layout) -> str | None:
    command = redis.at_hand(layout)
    return None if command is None else redis.label(command)


def _edge(layout: Layout, *, can_be_had: bool) -> Finding:
    if edge.is_fetched(layout):
        return Finding(True, f"{edge.label(layout)} with ModSecurity is at hand")
    if can_be_had:
        return Finding(True, "nginx with ModSecurity is fetched by the first make up EDGE=1")
    fix = "none is needed without EDGE=1; with it, use Debian, Ubuntu or Docker"
    return Finding(False, "nginx with ModSecurity cannot be had without apt", fix)


def _ports(layout: Layout) -> Iterator[Finding]:
    running = NativeStack(layout).running()
    for name, port in layout.wanted_ports().items():
        if OWNERS.get(name, name.replace("_", "-")) in running or not ports.is_taken(port):
            continue
        error = ports.port_taken(name, port)
        yield Finding(False, error.cause, error.fix, is_fatal=True)
    warning = ports.Outgoing.of_this_machine().warning(layout.wanted_ports())
    if warning is not None:
        yield Finding(False, warning.cause, warning.fix)
    yield Finding(True, f"{len(layout.wanted_ports())} ports looked at")

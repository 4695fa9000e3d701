"""Breaks a copy of the tree and runs tests there, on parts that stay up from run to run."""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from sqlalchemy.pool import NullPool

from shop.stack.layout import HOME_VARIABLE, LOCAL, Layout
from shop.stack.memory import recall_ports
from shop.stack.native import NativeStack
from shop.stack.progress import Progress
from tests.conftest import KEPT_HOME_VARIABLE
from tests.proofs.fault import AnyFault, SchemaFault

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".local", "__pycache__", "*_cache")
_FAILED = re.compile(r"^FAILED (tests/[\w/]+\.py::\w+)", re.MULTILINE)
_ERROR = re.compile(r"^ERROR (tests/[\w/]+\.py::\w+)", re.MULTILINE)
_DEADLINE_S = 900


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which tests failed, and which could not be judged: their set-up or the run broke off.

    A stack that does not start for reasons of its own looks like the latter, too.
    """

    failed: frozenset[str] = frozenset()
    unjudged: frozenset[str] = frozenset()

    @property
    def is_green(self) -> bool:
        return not (self.failed or self.unjudged)


def outcome_of(wanted: Iterable[str], returncode: int, told: str) -> Outcome:
    """Read what pytest told of a run: a test that failed has failed, whatever its set-up did."""
    if returncode == 0:
        return Outcome()
    failed = frozenset(_FAILED.findall(told))
    unjudged = frozenset(_ERROR.findall(told)) - failed
    return Outcome(failed, unjudged) if failed | unjudged else Outcome(unjudged=frozenset(wanted))


class Workshop:
    """A copy of the tree, and a home for the parts that its tests run on."""

    def __init__(self, root: Path, home: Path) -> None:
        self._tree = home / "tree"
        self._parts = home / "parts"
        shutil.copytree(root, self._tree, ignore=_NOT_COPIED, symlinks=True)
        mode = (
            py_compile.PycInvalidationMode.CHECKED_HASH
        )  # what is broken is compiled as it is read
        compileall.compile_dir(self._tree, quiet=1, invalidation_mode=mode)

    def run(self, tests: Iterable[str]) -> Outcome:
        """Run the tests, each named by its file and name."""
        wanted = sorted(tests)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=no",
            *wanted,
        ]
        environment = {
            **os.environ,
            HOME_VARIABLE: str(LOCAL),
            KEPT_HOME_VARIABLE: str(self._parts),
            "PYTHONPATH": str(self._tree),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            done = subprocess.run(
                command, cwd=self._tree, env=environment, timeout=_DEADLINE_S,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(unjudged=frozenset(wanted))
        return outcome_of(wanted, done.returncode, done.stdout)

    @contextmanager
    def broken(self, fault: AnyFault) -> Iterator[None]:
        """Have the fault in the copy, or in its database, for as long as the block runs."""
        if isinstance(fault, SchemaFault):
            with self._broken_schema(fault):
                yield
            return
        file = self._tree / fault.path
        text = file.read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            raise ValueError(f"{fault.path} does not hold {fault.old!r} exactly once")
        file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def _broken_schema(self, fault: SchemaFault) -> Iterator[None]:
        url = self._stack().database_url(fault.service).replace("asyncmy", "pymysql")
        engine = sa.create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(fault.breaking)
        try:
            yield
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql(fault.mending)

    def close(self) -> None:
        """Stop the parts, if there are any, and delete their data."""
        self._stack().reset()

    def _stack(self) -> NativeStack:
        layout = replace(Layout.for_tests(self._parts), die_with_parent=False)
        ports = recall_ports(self._parts) or layout.ports
        return NativeStack(replace(layout, ports=ports), Progress(Console(quiet=True)))

"""Runs the tests against mutants, each in a copy of the tree: the tree itself is never touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mutation.mutants import Mutant

_PACKAGES = (
    "common_lib",
    "user_service",
    "catalog_service",
    "order_service",
    "notification_service",
    "gateway",
    "shop",
    "tests",
)
# Longest a module's tests take is seconds: a mutant that takes longer does not end.
_DEADLINE_S = 90


class Copy:
    """A copy of the tree that mutants are put into, one after the other."""

    def __init__(self, root: Path, home: Path) -> None:
        self._root = root
        self._home = home
        home.mkdir(parents=True)
        for name in _PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, home / name, ignore=ignored)
        shutil.copy(root / "pyproject.toml", home)

    def passes(self, tests: tuple[str, ...]) -> bool:
        """Whether the tests pass on what the copy holds; what does not end does not pass."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-qx",
            "-p",
            "no:cacheprovider",
            "--tb=no",
            *tests,
        ]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self._home)}
        try:
            done = subprocess.run(
                command, cwd=self._home, env=environment, timeout=_DEADLINE_S, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def survives(self, mutant: Mutant) -> bool:
        """Whether no test notices the mutant. The module is put right again afterwards."""
        module = self._home / mutant.target.module
        module.write_text(mutant.source, encoding="utf-8")
        try:
            return self.passes(mutant.target.tests)
        finally:
            shutil.copy(self._root / mutant.target.module, module)

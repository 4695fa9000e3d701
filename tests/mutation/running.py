"""Runs the tests against mutants, each in a copy of the tree: the tree itself is never touched."""

import compileall
import json
import os
import py_compile
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
# No plugin has assertions that anybody reads here.
_QUIET = (
    "--tb=no",
    *("-p", "no:xdist", "-p", "no:schemathesis"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


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
        self._compile()
        self._runner = self._started()

    def _compile(self) -> None:
        """Compile the copy once; a file that differs from then on is compiled as it is read."""
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(self._home, quiet=1, invalidation_mode=mode)

    def _started(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self._home),
        }
        return subprocess.Popen(
            [sys.executable, str(self._root / "tests" / "mutation" / "forking.py"), *_PACKAGES],
            cwd=self._home, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def passes(self, tests: tuple[str, ...]) -> bool:
        """Whether the tests pass on what the copy holds; what does not end does not pass."""
        arguments = ["-qx", "-p", "no:cacheprovider", *_QUIET, *tests]
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        self._runner.stdin.write(json.dumps([_DEADLINE_S, arguments]) + "\n")
        self._runner.stdin.flush()
        return self._runner.stdout.readline() == "0\n"

    def close(self) -> None:
        """Have the copy run no more tests."""
        self._runner.communicate()

    def survives(self, mutant: Mutant) -> bool:
        """Whether no test notices the mutant. The module is put right again afterwards."""
        module = self._home / mutant.target.module
        module.write_text(mutant.source, encoding="utf-8")
        try:
            return self.passes(mutant.target.tests)
        finally:
            shutil.copy(self._root / mutant.target.module, module)

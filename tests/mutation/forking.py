"""Runs pytest for each line of its input, in a process forked from one that has the libraries.

Loading them takes longer than most modules' tests do. Nothing of the shop is loaded beforehand: the
tests must see what the copy holds. The answer is one line: what pytest ended with.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

_LOADED: Final = "import sys, pytest, tests.conftest; print(*sys.modules, sep='\\n')"


def main(ours: frozenset[str]) -> None:
    for name in _libraries(ours):
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        deadline_s, arguments = json.loads(line)
        sys.stdout.write(f"{_ended_with(arguments, deadline_s)}\n")
        sys.stdout.flush()


def _libraries(ours: frozenset[str]) -> list[str]:
    """Return what the tests load besides the shop, as another process tells."""
    command = [sys.executable, "-c", _LOADED]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in loaded if name.partition(".")[0] not in ours | {"__main__"}]


def _ended_with(arguments: list[str], deadline_s: float) -> int:
    child = os.fork()
    if child == 0:
        _run(arguments)
    if not select.select([os.pidfd_open(child)], [], [], deadline_s)[0]:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(arguments: list[str]) -> None:
    os.setpgid(0, 0)
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(silence, descriptor)
    pytest = importlib.import_module("pytest")
    os._exit(pytest.main(arguments))


if __name__ == "__main__":
    main(frozenset(sys.argv[1:]))

"""Starts the shop's processes as forks of one that has loaded their libraries already.

Loading them takes more than a second of a core, and the tests start some two hundred processes.
What comes of it are processes like any other: each a session of its own with its own pid, its own
environment and its own log. How they start without all this, the supervisor's tests show.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from shop.stack.layout import MODULES, REPOSITORY
from shop.stack.processes import DIE_WITH_PARENT, Launcher, Spec

OURS = frozenset(MODULES.values())


@dataclass(frozen=True)
class Order:
    """What a fork is to become: the module as a program, and what that program is given."""

    module: str
    cwd: str
    env: dict[str, str]
    log: str

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))

    @property
    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class Nursery(Launcher):
    """Programs of the shop are forked, others started; all of them end with the tests."""

    def __init__(self, parent: "subprocess.Popen[str]") -> None:
        super().__init__(die_with_parent=True)
        self._parent = parent

    def launch(self, spec: Spec, log: Path) -> int:
        python, option, module = (*spec.argv, "", "", "")[:3]
        if (python, option) != (sys.executable, "-m") or module not in OURS:
            return super().launch(spec, log)
        return self._fork(Order(module, str(spec.cwd), dict(spec.env), str(log)))

    def _fork(self, order: Order) -> int:
        orders, pids = self._parent.stdin, self._parent.stdout
        assert orders is not None
        assert pids is not None
        orders.write(order.line)
        orders.flush()
        return int(pids.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Have a nursery for as long as the block lasts; what it has started ends with it."""
    dying_with_us = (sys.executable, "-IS", str(DIE_WITH_PARENT), str(os.getpid()))
    with subprocess.Popen(
        (*dying_with_us, sys.executable, "-m", f"{__name__}.forking"),
        cwd=REPOSITORY,
        # As the shop's processes are started, of which it stands for each.
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        yield Nursery(parent)

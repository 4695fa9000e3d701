"""The process that has loaded what the shop's programs load, and forks them as it is told to.

Run as `python -m tests.nursery.forking`: it reads orders, one a line, and answers each with a pid.
"""

import ctypes
import gc
import importlib
import os
import runpy
import signal
import sys
from collections.abc import Iterator

from common_lib import crash_points
from tests.nursery import OURS, Order

PR_SET_PDEATHSIG = 1


# What a program loads once it has started.
LATER = ("common_lib.bus.sessions", "aiobotocore.config")


def load() -> None:
    """Load all programs, but let each be run as its own main module."""
    for module in OURS:
        importlib.import_module(module)
        del sys.modules[module]
    for module in LATER:
        importlib.import_module(module)
    gc.freeze()  # what is never looked at for garbage stays shared


def forked(orders: Iterator[str]) -> Order | None:
    """Fork for each order; returns in the fork, with what it is to become, or at the end."""
    parent = os.getpid()
    for line in orders:
        pid = os.fork()
        if pid == 0:
            _die_with(parent)
            return Order.read(line)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    return None


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def become(order: Order) -> None:
    """Take on everything in which the new program differs from us, then run it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.env)
    _redirect(order.log)
    importlib.reload(crash_points)  # the one module that looks at the environment as it is loaded
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects those who have ended
    load()
    if order := forked(iter(sys.stdin.readline, "")):
        become(order)

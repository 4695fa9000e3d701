"""What the kernel says a process has used: /proc/<pid>/stat and statm (proc_pid_stat(5))."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessStat:
    pid: int
    parent: int
    # User and system time, its own and that of children it has waited for.
    ticks: int


def parse_stat(text: str) -> ProcessStat:
    """Read one line of /proc/<pid>/stat; the command in it may hold spaces and parentheses."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(")")[2].split()
    return ProcessStat(int(pid), int(fields[1]), sum(int(field) for field in fields[11:15]))


def family(pid: int, everybody: Iterable[ProcessStat]) -> list[ProcessStat]:
    """Return the process and all that descend from it."""
    children: dict[int, list[ProcessStat]] = {}
    members = []
    for stat in everybody:
        children.setdefault(stat.parent, []).append(stat)
        if stat.pid == pid:
            members.append(stat)
    for member in members:
        members.extend(children.get(member.pid, ()))
    return members


def running() -> Iterator[ProcessStat]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            yield parse_stat((entry / "stat").read_text())
        except (OSError, ValueError, IndexError):
            continue


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU a process and its descendants have used so far."""
    return sum(stat.ticks for stat in family(pid, running())) / TICKS_PER_S


class CpuMeter:
    """Seconds of CPU that named processes use between construction and `read`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: cpu_s(pid) for name, pid in pids.items()}
        self._started = time.monotonic()

    def read(self) -> dict[str, float]:
        return {name: cpu_s(pid) - self._before[name] for name, pid in self._pids.items()}

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

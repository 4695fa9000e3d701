"""The machine in words that tell what matters and nobody whose it is."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

KIB_PER_GIB = 2**20


@dataclass(frozen=True)
class Machine:
    cores: int
    memory_gib: float
    python: str
    mysql: str
    system: str

    def sentence(self) -> str:
        return (
            f"{self.cores} cores, {self.memory_gib:.0f} GiB of memory, {self.system}, "
            f"Python {self.python}, {self.mysql} (durable: every commit is flushed)."
        )


def describe(mysql: str) -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_gib=_memory_kib(Path("/proc/meminfo").read_text()) / KIB_PER_GIB,
        python=platform.python_version(),
        mysql=mysql,
        system=f"{platform.system()} {platform.machine()}",
    )


def _memory_kib(meminfo: str) -> int:
    first = next(line for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    return int(first.split()[1])

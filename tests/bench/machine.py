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
    # How many processes wanted to run, on average, in the minute before the run.
    load_before: float

    def sentence(self) -> str:
        return (
            f"{self.cores} cores, {self.memory_gib:.0f} GiB of memory, {self.system}, "
            f"Python {self.python}, {self.mysql} (durable: every commit is flushed). "
            f"Load average in the minute before the run: {self.load_before:.1f}."
        )

    @property
    def was_busy(self) -> bool:
        return self.load_before > self.cores / 2


def describe(mysql: str, load_before: float) -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_gib=_memory_kib(Path("/proc/meminfo").read_text()) / KIB_PER_GIB,
        python=platform.python_version(),
        mysql=mysql,
        system=f"{platform.system()} {platform.machine()}",
        load_before=load_before,
    )


def _memory_kib(meminfo: str) -> int:
    first = next(line for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    return int(first.split()[1])

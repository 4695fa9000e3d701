"""Starts and ends operating system processes, and never takes one for another.

A pid file holds the pid together with the kernel's start time of that process and the boot it
belongs to, so a pid that was given to somebody else since is never signalled.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shop.stack.progress import POLL_S

DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
LOG_LIMIT_BYTES = 50 * 1024 * 1024
DEAD_STATES = ("Z", "X")

# Whose end this program must collect; per program, as several stacks may look at one process.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Spec:
    """How one process is started; ``env`` is its whole environment.

    ``wiring`` is what of the environment decides whether a running process is still the wanted one.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    wiring: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        text = json.dumps([self.argv, sorted(self.wiring.items()), str(self.cwd)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Identity:
    """One process of one boot; pids are recycled, this is not."""

    pid: int
    start_ticks: int
    boot_id: str
    fingerprint: str = ""

    @classmethod
    def of(cls, pid: int, fingerprint: str = "") -> "Identity | None":
        """Identify the live process with this pid, or None; a zombie counts as dead.

        Not yet while threads of it are left: until the last one ends, it holds its ports and files.
        """
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            return None
        # The command in parentheses may hold spaces and parentheses itself.
        after_command = stat.rpartition(")")[2].split()
        state, start_ticks = after_command[0], int(after_command[19])
        is_dead = state in DEAD_STATES and threads <= 1
        return None if is_dead else cls(pid, start_ticks, boot_id(), fingerprint)

    def is_alive(self) -> bool:
        return Identity.of(self.pid, self.fingerprint) == self

    def memory_mib(self) -> float:
        """Return its resident memory; what processes share is counted once among them (PSS)."""
        with suppress(OSError, StopIteration):
            rows = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
            return int(next(row for row in rows if row.startswith("Pss:")).split()[1]) / 1024
        return 0.0


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Processes:
    """The processes of one stack, known by name through pid files in ``run_dir``."""

    def __init__(self, run_dir: Path, log_dir: Path, *, die_with_parent: bool = False) -> None:
        self._run_dir = run_dir
        self._log_dir = log_dir
        self._die_with_parent = die_with_parent

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._run_dir.glob("*.pid"))

    def log(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def find(self, name: str) -> Identity | None:
        """Find the running process of that name; None if it is gone or its pid is another's."""
        identity = _read(self._pid_file(name))
        if identity is None:
            return None
        _reap(identity.pid)
        return identity if identity.is_alive() else None

    def start(self, spec: Spec) -> Identity:
        """Start the process without waiting for it; its output is appended to its log."""
        self._run_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log(spec.name)
        _rotate(log)
        with log.open("ab") as output:
            child = subprocess.Popen(
                (*_dying_with_us(), *spec.argv) if self._die_with_parent else spec.argv,
                cwd=spec.cwd,
                env=dict(spec.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _children[child.pid] = child
        return self._record(spec, child.pid)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process and its children; a dead process is left alone."""
        identity = self.find(name)
        if identity is not None:
            _signal_group(identity, number)

    def kill(self, name: str) -> None:
        """SIGKILL, and return once the process is gone."""
        self.signal(name, signal.SIGKILL)
        self._await_end([name], deadline_s=10.0)
        self._forget(name)

    def stop(self, names: Iterable[str], deadline_s: float) -> list[str]:
        """SIGTERM to all, SIGKILL to those still there after the deadline; returns the latter."""
        wanted = list(names)
        for name in wanted:
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        stubborn = self._await_end(wanted, deadline_s)
        for name in stubborn:
            self.kill(name)
        for name in wanted:
            self._forget(name)
        return stubborn

    def _await_end(self, names: Sequence[str], deadline_s: float) -> list[str]:
        ends_at = time.monotonic() + deadline_s
        alive = [name for name in names if self.find(name)]
        while alive and time.monotonic() < ends_at:
            time.sleep(POLL_S)
            alive = [name for name in alive if self.find(name)]
        return alive

    def _record(self, spec: Spec, pid: int) -> Identity:
        identity = Identity.of(pid, spec.fingerprint) or Identity(pid, 0, boot_id())
        path = self._pid_file(spec.name)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(identity)))
        draft.replace(path)
        return identity

    def _forget(self, name: str) -> None:
        if self.find(name) is None:
            self._pid_file(name).unlink(missing_ok=True)

    def _pid_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.pid"


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _read(path: Path) -> Identity | None:
    try:
        return Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _signal_group(identity: Identity, number: signal.Signals) -> None:
    # Each process leads a session of its own, so its group is itself and its children.
    with suppress(ProcessLookupError):
        os.killpg(identity.pid, number)


def _dying_with_us() -> tuple[str, ...]:
    """Return the start of a command line whose process the kernel ends with our thread."""
    return (sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid()))

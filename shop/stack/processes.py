"""Starts and ends operating system processes, and never takes one for another.

A pid file holds the pid together with the kernel's start time of that process and the boot it
belongs to, so a pid that was given to somebody else since is never signalled. Beside it lies how
the process is started, for as long as it is wanted: the supervisor brings back what died and has
such a file.
"""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

POLL_S = 0.05
DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
ORPHANS_DEADLINE_S = 5.0
LOG_LIMIT_BYTES = 50 * 1024 * 1024
DEAD_STATES = ("Z", "X")

# Whose end this program must collect; per program, as several stacks may look at one process.
_children: dict[int, subprocess.Popen[bytes]] = {}


class Launcher:
    """Makes processes; one with `die_with_parent` is ended by the kernel together with us."""

    def __init__(self, *, die_with_parent: bool = False) -> None:
        self._die_with_parent = die_with_parent

    def launch(self, spec: "Spec", log: Path) -> int:
        """Start the process in a session of its own, its output going to the log; its pid."""
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
        return child.pid


@dataclass(frozen=True)
class Command:
    """A command line and its whole environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Spec:
    """How one process is started; ``env`` is its whole environment.

    ``wiring`` is what of the environment decides whether a running process is still the wanted one.
    ``leftovers`` are files of a killed one that would forbid the next start, and ``after`` is what
    has to be done whenever it was started anew: repeated until it ends well.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    wiring: Mapping[str, str] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    after: Command | None = None

    @classmethod
    def read(cls, path: Path) -> "Spec | None":
        """Read what `write` wrote; None if it is not there or damaged."""
        try:
            known: dict[str, Any] = json.loads(path.read_text())
            after = known.pop("after")
            return cls(
                **known
                | {
                    "argv": tuple(known["argv"]),
                    "cwd": Path(known["cwd"]),
                    "leftovers": tuple(known["leftovers"]),
                    "after": Command(tuple(after["argv"]), after["env"]) if after else None,
                }
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: Path) -> None:
        """Write it for the owner alone: the environment holds passwords."""
        known = asdict(replace(self, env=dict(self.env), wiring=dict(self.wiring)))
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(known, default=_plain))
        draft.replace(path)

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
        self.launcher = Launcher(die_with_parent=die_with_parent)

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

    def wanted(self) -> list[str]:
        """Name what was started and not stopped since, be it alive or not."""
        return sorted(path.stem for path in self._run_dir.glob("*.spec"))

    def start(self, spec: Spec) -> Identity:
        """Start the process without waiting for it; its output is appended to its log.

        One that runs is kept: somebody else may have been quicker.
        """
        with self._alone():
            running = self.find(spec.name)
            if running is None:
                spec.write(self._spec_file(spec.name))
            return running or self._start(spec)

    def revive(self, name: str) -> Spec | None:
        """Start again what is wanted and dead; None if there is nothing to do."""
        with self._alone():
            spec = Spec.read(self._spec_file(name))
            if spec is None or self.find(name) is not None:
                return None
            self._start(spec)
            return spec

    def _start(self, spec: Spec) -> Identity:
        self._end_orphans(spec.name)
        for leftover in spec.leftovers:
            Path(leftover).unlink(missing_ok=True)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log(spec.name)
        _rotate(log)
        return self._record(spec, self.launcher.launch(spec, log))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process and its children; a dead process is left alone."""
        identity = self.find(name)
        if identity is not None:
            _signal_group(identity, number)

    def kill(self, name: str) -> None:
        """SIGKILL, and return once the process is gone; nobody brings it back."""
        self._want_no_more([name])
        self.signal(name, signal.SIGKILL)
        self._await_end([name], deadline_s=10.0)
        self._forget(name)

    def stop(self, names: Iterable[str], deadline_s: float) -> list[str]:
        """SIGTERM to all, SIGKILL to those still there after the deadline; returns the latter."""
        wanted = list(names)
        self._want_no_more(wanted)
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
            self._end_orphans(name)
            self._pid_file(name).unlink(missing_ok=True)

    def _want_no_more(self, names: Iterable[str]) -> None:
        files = [file for name in names if (file := self._spec_file(name)).exists()]
        if not files:
            return
        with self._alone():
            for file in files:
                file.unlink(missing_ok=True)

    def _end_orphans(self, name: str) -> None:
        """SIGKILL what a dead process has left of its group, such as the workers of nginx.

        A number is given to nobody else for as long as a group bears it.
        """
        identity = _read(self._pid_file(name))
        if (
            identity is None
            or identity.boot_id != boot_id()
            or Path(f"/proc/{identity.pid}").exists()
        ):
            return
        ends_at = time.monotonic() + ORPHANS_DEADLINE_S
        while _has_group(identity.pid) and time.monotonic() < ends_at:
            _signal_group(identity, signal.SIGKILL)
            time.sleep(POLL_S)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep `shop` and the supervisor from starting and stopping at the same moment."""
        self._run_dir.mkdir(parents=True, exist_ok=True)
        with (self._run_dir / "processes.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _spec_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.spec"

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


def _plain(value: object) -> str:
    return str(value)


def _has_group(number: int) -> bool:
    """Whether any process that is not a zombie belongs to this process group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(group) == number and state not in DEAD_STATES:
                return True
    return False


def _signal_group(identity: Identity, number: signal.Signals) -> None:
    # Each process leads a session of its own, so its group is itself and its children.
    with suppress(ProcessLookupError):
        os.killpg(identity.pid, number)


def _dying_with_us() -> tuple[str, ...]:
    """Return the start of a command line whose process the kernel ends with our thread."""
    return (sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid()))

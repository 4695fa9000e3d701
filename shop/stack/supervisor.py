"""Brings back what died of the native stack: at once at first, then after longer and longer pauses.

Runs as a process of its own beside the others, `python -m shop.stack.supervisor RUN LOG`, and ends
when another has taken its place or its folder is gone. The others do not need it: if it is killed,
they go on. It loads nothing but the standard library, as it stays in memory.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from shop.stack.processes import POLL_S, Command, Processes

NAME = "supervisor"
STATE_FILE = "supervisor.json"
DIE_WITH_ME = "--die-with-me"
LOOK_EVERY_S = 0.25
LONGEST_PAUSE_S = 60.0
# One that lived for longer died of something new.
STEADY_S = 60.0
AFTER_PAUSE_S = 2.0
CHARGE_DEADLINE_S = 30.0


@dataclass
class Record:
    """What became of one process: times are in seconds of the epoch.

    `failures` counts the deaths in a row, each soon after a start; `again_at` is when it is tried.
    """

    restarts: int = 0
    failures: int = 0
    restarted_at: float = 0.0
    again_at: float = 0.0
    is_down: bool = False


def read_records(run: Path) -> dict[str, Record]:
    """Read what a supervisor wrote down, also one that is gone."""
    try:
        known: dict[str, Any] = json.loads((run / STATE_FILE).read_text())
        return {name: Record(**record) for name, record in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def pause_before(failures: int) -> float:
    """Return the seconds to wait before the next start: 0, 1, 2, 4 … 60."""
    return 0.0 if failures == 0 else min(2.0 ** (failures - 1), LONGEST_PAUSE_S)


class Supervisor:
    """Looks after the processes of one stack; `look` is one look at all of them."""

    def __init__(self, run: Path, logs: Path, *, die_with_me: bool = False) -> None:
        self._run = run
        self._logs = logs
        self._processes = Processes(run, logs, die_with_parent=die_with_me)
        self._records = read_records(run)
        self._written = ""
        self._after: dict[str, After] = {}

    def look(self, moment: float) -> None:
        """Start what is wanted, dead and due; go on with what follows a start."""
        for name in self._processes.wanted():
            if name != NAME:
                self._look_at(name, moment)
        for name, after in tuple(self._after.items()):
            if after.is_done(moment):
                del self._after[name]
                _say(f"{name}: what follows its start is done")
        self._write()

    @property
    def is_busy(self) -> bool:
        """Whether something that follows a start is not done yet."""
        return bool(self._after)

    def close(self) -> None:
        """End what this supervisor runs for itself."""
        for after in self._after.values():
            after.cancel()

    def _look_at(self, name: str, moment: float) -> None:
        record = self._records.setdefault(name, Record())
        if self._processes.find(name) is not None:
            record.is_down = False
            return
        if not record.is_down:
            self._note_death(name, record, moment)
        if moment >= record.again_at:
            self._restart(name, record, moment)

    def _note_death(self, name: str, record: Record, moment: float) -> None:
        is_soon = record.restarted_at > 0 and moment - record.restarted_at < STEADY_S
        record.failures = record.failures + 1 if is_soon else 0
        record.is_down = True
        pause_s = pause_before(record.failures)
        record.again_at = moment + pause_s
        _say(f"{name} has ended; it is started again in {pause_s:.0f} s")

    def _restart(self, name: str, record: Record, moment: float) -> None:
        try:
            spec = self._processes.revive(name)
        except OSError as error:  # the program is gone, the disk is full
            _say(f"{name} cannot be started: {error}")
            record.is_down = False
            record.restarted_at = moment
            return
        record.is_down = False
        if spec is None:
            return
        record.restarts += 1
        record.restarted_at = moment
        _say(f"{name} is started again, for the {record.restarts}. time")
        if spec.after is not None:
            self._follow(name, spec.after, moment)

    def _follow(self, name: str, command: Command, moment: float) -> None:
        if name in self._after:
            self._after[name].cancel()
        self._after[name] = After(command, self._logs / f"{name}-after.log", moment)

    def _write(self) -> None:
        text = json.dumps({name: asdict(record) for name, record in self._records.items()})
        if text == self._written:
            return
        with suppress(OSError):  # a full disk must not end the supervisor
            draft = self._run / f"{STATE_FILE}.new"
            draft.write_text(text)
            draft.replace(self._run / STATE_FILE)
            self._written = text


class After:
    """A command that is repeated until it ends well."""

    def __init__(self, command: Command, log: Path, moment: float) -> None:
        self._command = command
        self._log = log
        self._again_at = moment
        self._child: subprocess.Popen[bytes] | None = None

    def is_done(self, moment: float) -> bool:
        if self._child is None:
            if moment >= self._again_at:
                self._child = self._start()
            return False
        if self._child.poll() is None:
            return False
        if self._child.returncode == 0:
            return True
        self._child, self._again_at = None, moment + AFTER_PAUSE_S
        return False

    def cancel(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()

    def _start(self) -> "subprocess.Popen[bytes] | None":
        env: Mapping[str, str] = self._command.env
        with suppress(OSError), self._log.open("ab") as log:
            return subprocess.Popen(
                self._command.argv,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return None


def watch(run: Path, logs: Path, *, die_with_me: bool = False) -> None:
    """Look after the stack until told to stop, replaced, or without a folder to look into."""
    supervisor = Supervisor(run, logs, die_with_me=die_with_me)
    processes = Processes(run, logs)
    _await_charge(processes)
    _say("watching")
    try:
        while _is_in_charge(processes):
            supervisor.look(time.time())
            time.sleep(LOOK_EVERY_S)
    finally:
        supervisor.close()
        _say("ends")


def _await_charge(processes: Processes) -> None:
    """Whoever started this process writes its pid file in the next moment."""
    ends_at = time.monotonic() + CHARGE_DEADLINE_S
    while not _is_in_charge(processes) and time.monotonic() < ends_at:
        time.sleep(POLL_S)


def _is_in_charge(processes: Processes) -> bool:
    named = processes.find(NAME)
    return named is not None and named.pid == os.getpid()


def _say(what: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {what}", flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    watch(Path(sys.argv[1]), Path(sys.argv[2]), die_with_me=DIE_WITH_ME in sys.argv)

"""What dies is brought back, with longer and longer pauses, for as long as it is wanted."""

import os
import signal
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from shop.stack.processes import Command, Processes, Spec
from shop.stack.supervisor import (
    LONGEST_PAUSE_S,
    NAME,
    STEADY_S,
    Supervisor,
    pause_before,
    read_records,
)
from tests.waiting import eventually

SLEEPER = (sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)")
ENDS = (sys.executable, "-c", "raise SystemExit(1)")
# A program with a child of its own, which outlives it as the workers of nginx do.
HAS_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print(child.pid, flush=True)
time.sleep(600)
"""
PARENT = (sys.executable, "-c", HAS_A_CHILD)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "run", tmp_path / "log", die_with_parent=True)
    yield made
    made.stop(made.names(), deadline_s=5)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "run", tmp_path / "log", die_with_me=True)
    yield made
    made.close()


def spec(tmp_path: Path, argv: tuple[str, ...] = SLEEPER, **values: object) -> Spec:
    settings = {"name": "one", "argv": argv, "env": dict(os.environ), "cwd": tmp_path}
    return Spec(**{**settings, **values})  # type: ignore[arg-type]


def kill(processes: Processes, name: str = "one") -> int:
    """SIGKILL it behind everybody's back and wait until it is gone; return its pid."""
    identity = processes.find(name)
    assert identity is not None
    os.kill(identity.pid, signal.SIGKILL)
    while processes.find(name) is not None:
        pass
    return identity.pid


def test_a_killed_process_is_back_at_the_next_look(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    processes.start(spec(tmp_path))
    supervisor.look(1000.0)
    pid = kill(processes)
    supervisor.look(1001.0)
    again = processes.find("one")
    assert again is not None
    assert again.pid != pid
    record = read_records(tmp_path / "run")["one"]
    assert (record.restarts, record.restarted_at) == (1, 1001.0)


def test_what_runs_is_left_alone(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    before = processes.start(spec(tmp_path))
    for moment in range(5):
        supervisor.look(float(moment))
    assert processes.find("one") == before
    assert read_records(tmp_path / "run")["one"].restarts == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_stopped_stays_stopped(
    processes: Processes, supervisor: Supervisor, tmp_path: Path, end: str
) -> None:
    processes.start(spec(tmp_path))
    supervisor.look(1.0)
    if end == "stop":
        processes.stop(["one"], deadline_s=5)
    else:
        processes.kill("one")
    supervisor.look(2.0)
    assert processes.find("one") is None


async def test_what_cannot_start_is_tried_after_longer_and_longer_pauses(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    processes.start(spec(tmp_path, ENDS))
    starts: list[float] = []
    moment = 10_000.0
    while len(starts) < 9:
        await eventually(lambda: processes.find("one") is None)
        before = read_records(tmp_path / "run").get("one")
        supervisor.look(moment)
        after = read_records(tmp_path / "run")["one"]
        if after.restarts > (before.restarts if before else 0):
            starts.append(moment)
        moment += 0.5
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    wanted = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert pauses == pytest.approx(wanted, abs=0.6)


def test_after_a_steady_life_a_process_is_back_at_once_again(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    processes.start(spec(tmp_path))
    moment = 1000.0
    for wanted in (1, 2, 3):
        kill(processes)
        supervisor.look(moment)
        assert read_records(tmp_path / "run")["one"].restarts == wanted
        moment += STEADY_S + 1
        supervisor.look(moment)


def test_files_that_would_forbid_the_start_are_removed(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    lock = tmp_path / "left.lock"
    processes.start(spec(tmp_path, leftovers=(str(lock),)))
    lock.touch()
    kill(processes)
    supervisor.look(1.0)
    assert processes.find("one") is not None
    assert not lock.exists()


async def test_what_follows_a_start_is_repeated_until_it_ends_well(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    script = f"echo x >> {tries}; test $(wc -l < {tries}) -ge 3"
    after = Command(("sh", "-c", script), dict(os.environ))
    processes.start(spec(tmp_path, after=after))
    kill(processes)
    moment = iter(range(1000, 100_000))

    def tried_three_times() -> bool:
        supervisor.look(float(next(moment)))
        return tries.exists() and tries.read_text().count("x") == 3

    await eventually(tried_three_times)
    for _ in range(20):
        supervisor.look(float(next(moment)))
    await eventually(lambda: not supervisor.is_busy)
    assert tries.read_text().count("x") == 3


def test_a_child_that_outlived_its_parent_is_ended_before_the_next_start(
    processes: Processes, supervisor: Supervisor, tmp_path: Path
) -> None:
    """nginx's workers keep its ports: the next one could not listen there."""
    child = _with_child(processes, tmp_path)
    kill(processes)
    assert Path(f"/proc/{child}").exists()
    supervisor.look(1.0)
    assert _is_gone(child)


def test_a_child_that_outlived_its_parent_is_ended_by_a_stop(
    processes: Processes, tmp_path: Path
) -> None:
    child = _with_child(processes, tmp_path)
    kill(processes)
    processes.stop(["one"], deadline_s=5)
    assert _is_gone(child)


def _with_child(processes: Processes, tmp_path: Path) -> int:
    processes.start(spec(tmp_path, PARENT))
    log = processes.log("one")
    while not log.exists() or not log.read_bytes().endswith(b"\n"):
        assert processes.find("one")
    return int(log.read_text())


def _is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z " in stat.read_text()


def test_the_environment_of_a_process_is_readable_by_its_owner_alone(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start(spec(tmp_path))
    assert (tmp_path / "run" / "one.spec").stat().st_mode & 0o077 == 0


def test_a_spec_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = spec(
        tmp_path,
        wiring={"SHOP_A": "1"},
        leftovers=("x",),
        after=Command(("true",), {"B": "2"}),
    )
    written.write(tmp_path / "one.spec")
    read = Spec.read(tmp_path / "one.spec")
    assert read == written
    assert read is not None
    assert read.fingerprint == written.fingerprint


def test_a_supervisor_without_its_folder_ends(tmp_path: Path) -> None:
    """Nobody can stop it any more by its pid file."""
    processes = Processes(tmp_path / "run", tmp_path / "log", die_with_parent=True)
    command = (sys.executable, "-m", "shop.stack.supervisor", str(tmp_path / "run"))
    started = processes.start(Spec(NAME, (*command, str(tmp_path / "log")), os.environ, Path.cwd()))
    log = processes.log(NAME)
    while b"watching" not in log.read_bytes():
        assert processes.find(NAME)
    (tmp_path / "run" / f"{NAME}.pid").unlink()
    while started.is_alive():
        os.waitpid(started.pid, os.WNOHANG)
    assert b"ends" in log.read_bytes()


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(0, 0), (1, 1), (2, 2), (5, 16), (7, 60), (99, 60)]
)
def test_the_pause_doubles_up_to_a_minute(failures: int, pause_s: float) -> None:
    assert pause_before(failures) == pause_s

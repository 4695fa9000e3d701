import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from shop.stack.layout import REPOSITORY
from shop.stack.ports import free_ports, is_taken
from shop.stack.processes import Identity, Processes, Spec

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
IGNORES_SIGTERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
STARTS_A_SLEEPER = """
import os, signal, sys
from pathlib import Path
from shop.stack.layout import REPOSITORY
from shop.stack.ports import free_ports, is_taken
from shop.stack.processes import Processes, Spec
home = Path(sys.argv[1])
argv = (sys.executable, "-c", "import signal; signal.pause()")
started = Processes(home, home, die_with_parent=True).start(Spec("sleeper", argv, os.environ, home))
print(started.pid, flush=True)
signal.pause()
"""
LISTENS_WITH_THREADS = """
import signal, socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(50):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
signal.pause()
"""
STUBBORN = (sys.executable, "-c", IGNORES_SIGTERM)


def spec(tmp_path: Path, argv: tuple[str, ...] = SLEEPER, **wiring: str) -> Spec:
    return Spec(name="sleeper", argv=argv, env=os.environ, cwd=tmp_path, wiring=wiring)


def test_a_started_process_is_found_by_another_command(
    processes: Processes, tmp_path: Path
) -> None:
    started = processes.start(spec(tmp_path))
    assert Processes(tmp_path / "run", tmp_path / "log").find("sleeper") == started


def test_a_killed_process_is_gone_at_once(processes: Processes, tmp_path: Path) -> None:
    started = processes.start(spec(tmp_path))
    processes.kill("sleeper")
    assert processes.find("sleeper") is None
    assert not started.is_alive()
    assert processes.names() == []


def test_a_recycled_pid_is_neither_found_nor_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, start_new_session=True) as stranger:
        identity = Identity.of(stranger.pid)
        assert identity is not None
        recycled = replace(identity, start_ticks=identity.start_ticks - 1)
        run = tmp_path / "run"
        run.mkdir()
        (run / "order.pid").write_text(json.dumps(asdict(recycled)))
        processes = Processes(run, tmp_path / "log")
        assert processes.find("order") is None
        processes.kill("order")
        assert stranger.poll() is None
        stranger.kill()


def test_a_pid_of_an_earlier_boot_is_not_ours() -> None:
    mine = Identity.of(os.getpid())
    assert mine is not None
    assert mine.is_alive()
    assert not replace(mine, boot_id="earlier").is_alive()


def test_a_process_that_ignores_sigterm_is_killed_after_the_deadline(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start(spec(tmp_path, STUBBORN))
    while b"ready" not in processes.log("sleeper").read_bytes():
        assert processes.find("sleeper")
    assert processes.stop(["sleeper"], deadline_s=0.2) == ["sleeper"]
    assert processes.find("sleeper") is None


def test_stopping_a_paused_process_works(processes: Processes, tmp_path: Path) -> None:
    processes.start(spec(tmp_path))
    processes.signal("sleeper", signal.SIGSTOP)
    assert processes.stop(["sleeper"], deadline_s=5) == []


def test_other_settings_give_another_fingerprint(tmp_path: Path) -> None:
    first, same, other = (spec(tmp_path, LIMIT=limit) for limit in ("1", "1", "2"))
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_a_damaged_pid_file_counts_as_no_process(tmp_path: Path) -> None:
    (tmp_path / "order.pid").write_text("{")
    assert Processes(tmp_path, tmp_path).find("order") is None


def test_a_killed_test_run_leaves_no_process(tmp_path: Path) -> None:
    command = (sys.executable, "-c", STARTS_A_SLEEPER, str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as run:
        assert run.stdout is not None
        sleeper = Identity.of(int(run.stdout.readline()))
        assert sleeper is not None
        run.kill()
    deadline = time.monotonic() + 10
    while sleeper.is_alive():
        assert time.monotonic() < deadline


def test_a_killed_process_of_many_threads_has_let_go_of_its_port(
    processes: Processes, tmp_path: Path
) -> None:
    for _ in range(10):
        [port] = free_ports(1)
        processes.start(spec(tmp_path, (sys.executable, "-c", LISTENS_WITH_THREADS, str(port))))
        while b"ready" not in processes.log("sleeper").read_bytes():
            assert processes.find("sleeper")
        processes.kill("sleeper")
        assert not is_taken(port)
        processes.log("sleeper").unlink()

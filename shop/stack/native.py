"""The stack without Docker: parts and processes as plain programs on loopback."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from shop.stack import bus_tools, checks, commander, edge, localstack, mysql, redis, supervisor
from shop.stack.credentials import Secrets, load_or_create
from shop.stack.environment import (
    database_url,
    database_variable,
    decides_about_processes,
    process_environment,
    tool_environment,
    wiring,
)
from shop.stack.errors import StackError
from shop.stack.file_locks import only_one
from shop.stack.layout import MODULES, PROCESS_NAMES, REPOSITORY, SERVICES, Layout, original
from shop.stack.ports import is_taken, port_taken
from shop.stack.probe import is_ok
from shop.stack.processes import POLL_S, Identity, Processes, Spec
from shop.stack.progress import Progress, run_logged, tail

READY_DEADLINE_S = 90.0
STOP_DEADLINE_S = 30.0
PARTS_STOP_DEADLINE_S = 20.0
EDGE_CLOSE_DEADLINE_S = 10.0
SUPERVISOR_STOP_DEADLINE_S = 10.0
LOG_LINES_SHOWN = 15
WORKERS = frozenset(name for name in PROCESS_NAMES if name.endswith("-worker"))
STATE_FOLDERS = ("data", "run", "log", "keys")


class NativeStack:
    """One stack on this machine; every method may be called again and then does what is missing.

    Start it from the main thread: with ``layout.die_with_parent`` the kernel ends each process
    together with the thread that started it.
    """

    def __init__(self, layout: Layout, progress: Progress | None = None) -> None:
        self.layout = layout
        self.progress = progress or Progress.silent()
        self.processes = Processes(layout.run, layout.logs, die_with_parent=layout.die_with_parent)

    @property
    def secrets(self) -> Secrets:
        return load_or_create(self.layout.keys)

    def database_url(self, service: str) -> str:
        """Return the SQLAlchemy URL of ``user``, ``catalog``, ``order`` or ``notification``."""
        return database_url(self.layout, self.secrets, service)

    def environment(self, name: str) -> dict[str, str]:
        """Return what the process of that name is given beside the caller's own environment."""
        return wiring(self.layout, self.secrets, name)

    def up(self) -> None:
        """Everything, ready; if that fails, what this call started is stopped again."""
        before = set(self.running())
        try:
            with self._only_one():
                self._refuse_taken_ports((*self.part_names(), *PROCESS_NAMES))
                if self.layout.with_edge:
                    self._refuse_taken_edge_ports()
                self.start_parts()
                self.migrate()
                self.restore_bus()
                self.start_processes()
                if self.layout.with_edge:
                    self.start_edge()
                if self.layout.is_supervised:
                    self.start_supervisor()
        except BaseException:
            self._stop(name for name in self.running() if name not in before)
            raise

    def start_parts(self) -> None:
        """MySQL, Redis and LocalStack with the bus' topology, fetched if need be."""
        self._refuse_taken_ports(self.part_names())
        checks.refuse_small_disk(self.layout)
        self.progress.heading("Parts")
        specs = self._part_specs()
        fresh_bus = self.processes.find(localstack.NAME) is None
        self._start_and_wait(specs)
        if fresh_bus:
            localstack.create_queues(self.layout, self.progress)
        self._start_commander()

    def start_part(self, name: str) -> None:
        """Start one part again, for example after ``kill("redis")``; returns once it is ready."""
        self._start_and_wait([spec for spec in self._part_specs() if spec.name == name])
        if name == localstack.NAME:
            localstack.create_queues(self.layout, self.progress)

    def migrate(self, services: Iterable[str] = tuple(SERVICES)) -> None:
        """Bring the databases to the newest schema; repeating it changes nothing."""
        wanted = list(services)
        urls = {database_variable(name): self.database_url(name) for name in wanted}
        names = ", ".join(SERVICES[name].database for name in wanted)
        with self.progress.step(f"migrating {names}") as step:
            command = [sys.executable, "-m", "shop.migrations", *wanted]
            log = self.layout.logs / "migrate.log"
            run_logged(step, command, log, env={**os.environ, **urls}, cwd=REPOSITORY)
            self.progress.done(f"migrated {names}", step.elapsed_s)

    def start_processes(
        self,
        names: Iterable[str] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Start services, workers, gateway and sandbox that do not run, and await readiness.

        ``env`` goes to each of them on top of what the layout says.
        """
        wanted = PROCESS_NAMES if names is None else tuple(names)
        self._refuse_taken_ports(wanted)
        self.progress.heading("Processes")
        self._start([self._process_spec(name, env or {}) for name in wanted])
        if wait:
            self._await(wanted)

    def start_process(
        self, name: str, env: Mapping[str, str] | None = None, *, wait: bool = True
    ) -> None:
        """Start one process, for example ``start_process("order", {"SHOP_CRASH_AT": "..."})``."""
        self.start_processes([name], env, wait=wait)

    def start_edge(self, settings: Mapping[str, str] | None = None) -> edge.Edge:
        """Start nginx before the gateway, fetched if need be; ``settings`` are SHOP_EDGE_*."""
        self._refuse_taken_edge_ports()
        with self._alone_with_downloads():
            edge.prepare(self.layout, self.progress)
        wanted = edge.Edge(self.layout, settings or {})
        self._start_and_wait([wanted.spec()])
        return wanted

    def restore_bus(self) -> None:
        """Publish again what a new LocalStack cannot know of; to one that remembers, nothing."""
        bus_tools.replay(self.layout, tool_environment(self.layout, self.secrets), self.progress)

    def start_supervisor(self) -> None:
        """Have whatever dies from now on brought back."""
        self._start([supervisor_spec(self.layout)])
        self.progress.done("what dies is started again")

    def wait_ready(self, name: str, deadline_s: float = READY_DEADLINE_S) -> None:
        """Return once the process answers; raises StackError with its last log lines if it died."""
        self._await([name], deadline_s)

    def wait_dead(self, name: str, deadline_s: float = 30.0) -> None:
        """Return once the process is gone, for example at its crash point."""
        ends_at = time.monotonic() + deadline_s
        while self.processes.find(name) is not None:
            if time.monotonic() > ends_at:
                raise StackError(f"{name} still runs after {deadline_s:.0f} s", f"kill {name}")
            time.sleep(POLL_S)

    def kill(self, name: str) -> None:
        """SIGKILL one process or part; returns once it is gone."""
        self.processes.kill(name)

    def terminate(self, name: str, deadline_s: float = STOP_DEADLINE_S) -> None:
        """SIGTERM one process or part and wait for it; SIGKILL after the deadline."""
        self.processes.stop([name], deadline_s)

    def restart(self, names: Iterable[str]) -> None:
        """Stop processes gracefully and start them again, ready."""
        wanted = list(names)
        self._stop(wanted)
        self.start_processes(wanted)

    def pause(self, name: str) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        self.processes.signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.processes.signal(name, signal.SIGCONT)

    def log(self, name: str) -> Path:
        return self.processes.log(name)

    def running(self) -> dict[str, Identity]:
        found = {name: self.processes.find(name) for name in self.processes.names()}
        return {name: identity for name, identity in found.items() if identity is not None}

    def part_names(self) -> tuple[str, ...]:
        return (*self.layout.mysql_servers(), redis.NAME, localstack.NAME)

    def is_ready(self, name: str) -> bool:
        if name.startswith("mysql-"):
            return mysql.greets(self.layout.port_of(name))
        if name == edge.NAME:
            return edge.Edge(self.layout).answers()
        if name == redis.NAME:
            return redis.answers(self.layout.ports.redis)
        paths = {localstack.NAME: "/_localstack/health", commander.NAME: "/"}
        return is_ok(self.layout.url(name) + paths.get(name, "/readyz"))

    def stop(self, *, drain: bool = False) -> None:
        """Stop everything this stack started, in the order that lets requests finish.

        With `drain` the workers first finish what was taken; what they cannot is delivered by the
        next `up`.
        """
        self.processes.stop([supervisor.NAME], SUPERVISOR_STOP_DEADLINE_S)
        if drain:
            self._drain()
        self._stop(self.processes.names())
        (self.layout.run / supervisor.STATE_FILE).unlink(missing_ok=True)

    def _drain(self) -> None:
        """Take nothing new, and let the workers empty outboxes and queues."""
        running = self.running()
        if not running.keys() & WORKERS:
            return
        missing = {*self.part_names(), *WORKERS} - running.keys()
        if missing:
            self.progress.warn(
                f"not finished before the stop: {', '.join(sorted(missing))} is down;"
                " the next up delivers what is left"
            )
            return
        self._close(running.keys() & {edge.NAME})
        doors = sorted(name for name in running if original(name) == "gateway")
        self.processes.stop(doors, STOP_DEADLINE_S)
        bus_tools.drain(tool_environment(self.layout, self.secrets))

    def reset(self, *, with_downloads: bool = False) -> None:
        """Stop everything and delete its data, logs and keys; downloads only if asked for."""
        self.stop()
        for folder in STATE_FOLDERS:
            shutil.rmtree(self.layout.home / folder, ignore_errors=True)
        if with_downloads:
            shutil.rmtree(self.layout.downloads, ignore_errors=True)

    def _stop(self, names: Iterable[str]) -> None:
        """Entrance first, then who works, then what they work with."""
        wanted = set(names)
        self._close(wanted & {edge.NAME})
        parts = {name for name in wanted if original(name) not in PROCESS_NAMES}
        entrance = {name for name in wanted if original(name) == "gateway"}
        for group, deadline_s in (
            (entrance, STOP_DEADLINE_S),
            (wanted - parts - entrance, STOP_DEADLINE_S),
            (parts, PARTS_STOP_DEADLINE_S),
        ):
            for name in self.processes.stop(sorted(group), deadline_s):
                self.progress.warn(f"{name} did not stop within {deadline_s:.0f} s: killed")

    def _close(self, doors: Iterable[str]) -> None:
        """Let nginx finish what it has begun; SIGTERM would break it off."""
        for name in doors:
            self.processes.signal(name, signal.SIGQUIT)
            with suppress(StackError):
                self.wait_dead(name, EDGE_CLOSE_DEADLINE_S)

    def _part_specs(self) -> list[Spec]:
        """Fetch what is missing and say how each part is started."""
        layout, secrets = self.layout, self.secrets
        with self._alone_with_downloads():
            server = mysql.choose(layout, self.progress)
            redis_command = redis.choose(layout, self.progress)
            localstack.prepare(layout, self.progress)
        after = localstack.after_start(tool_environment(layout, secrets))
        specs = [
            redis.spec(layout, redis_command),
            replace(localstack.spec(layout), after=after),
        ]
        for name in layout.mysql_servers():
            if self.processes.find(name) is None:
                mysql.prepare_data(layout, server, name)
            specs.append(mysql.spec(layout, server, secrets, name))
        return specs

    def _start_commander(self) -> None:
        if not self.layout.with_commander:
            return
        with self._alone_with_downloads():
            can_start = commander.prepare(self.layout, self.progress)
        if can_start:
            self._refuse_taken_ports([commander.NAME])
            self._start_and_wait([commander.spec(self.layout)])

    def _process_spec(self, name: str, extra: Mapping[str, str]) -> Spec:
        env = process_environment(self.layout, self.secrets, name, extra)
        return Spec(
            name=name,
            argv=(sys.executable, "-m", MODULES[original(name)]),
            env=env,
            cwd=REPOSITORY,
            wiring={key: value for key, value in env.items() if decides_about_processes(key)},
        )

    def _start_and_wait(self, specs: list[Spec]) -> None:
        self._start(specs)
        self._await([spec.name for spec in specs])

    def _start(self, specs: list[Spec]) -> None:
        running = {spec.name: self.processes.find(spec.name) for spec in specs}
        stale = [
            spec.name
            for spec in specs
            if (identity := running[spec.name]) and identity.fingerprint != spec.fingerprint
        ]
        if stale:
            self.progress.note(f"restarting with other settings: {', '.join(stale)}")
            self._stop(stale)
        for spec in specs:
            if running[spec.name] is None or spec.name in stale:
                self.processes.start(spec)

    def _await(self, names: Iterable[str], deadline_s: float = READY_DEADLINE_S) -> None:
        waiting = list(names)
        with self.progress.step("waiting for") as step:
            while waiting:
                step.beat(", ".join(waiting))
                for name in tuple(waiting):
                    if self._has_come_up(name, step.elapsed_s, deadline_s):
                        port = self.layout.port_of(name)
                        self.progress.done(f"{name} on port {port}", step.elapsed_s)
                        waiting.remove(name)
                time.sleep(POLL_S)

    def _has_come_up(self, name: str, elapsed_s: float, deadline_s: float) -> bool:
        if self.processes.find(name) is None:
            raise self._died(name)
        if self.is_ready(name):
            return True
        if elapsed_s > deadline_s:
            raise self._with_log(f"{name} is not ready after {deadline_s:.0f} s", name)
        return False

    def _died(self, name: str) -> StackError:
        port = self.layout.port_of(name)
        if is_taken(port):
            return port_taken(name, port)
        return self._with_log(f"{name} ended while starting", name)

    def _with_log(self, cause: str, name: str) -> StackError:
        log = self.log(name)
        for line in tail(log, LOG_LINES_SHOWN):
            self.progress.console.print(
                f"    {line}", markup=False, highlight=False, soft_wrap=True
            )
        return StackError(cause, f"see {log}")

    def _refuse_taken_edge_ports(self) -> None:
        self._refuse_taken_ports([edge.NAME])
        port = self.layout.ports.edge_http
        if self.processes.find(edge.NAME) is None and is_taken(port):
            raise port_taken("edge_http", port)

    def _refuse_taken_ports(self, names: Iterable[str]) -> None:
        for name in names:
            port = self.layout.port_of(name)
            if self.processes.find(name) is None and is_taken(port):
                raise port_taken(name, port)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        with only_one(self.layout.run / "up.lock", wait=False):
            yield

    @contextmanager
    def _alone_with_downloads(self) -> Iterator[None]:
        """Two stacks that start at once fetch each program once."""
        with only_one(self.layout.downloads / "downloads.lock", wait=True):
            yield


def supervisor_spec(layout: Layout) -> Spec:
    folders = (str(layout.run), str(layout.logs))
    flags = (supervisor.DIE_WITH_ME,) if layout.die_with_parent else ()
    argv = (sys.executable, "-m", supervisor.__name__, *folders, *flags)
    return Spec(supervisor.NAME, argv, os.environ, REPOSITORY)

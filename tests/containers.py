"""The parts in containers, where an engine answers; the processes stay native.

Images, commands and settings are those of docker-compose.yml, so the tests run on what the shop
runs on in Docker. Ports, passwords and databases are those of the test stack.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from testcontainers.core.container import DockerContainer

from shop.stack import choice, docker, localstack, redis
from shop.stack.errors import StackError
from shop.stack.layout import DATABASE_USER, REPOSITORY, Layout
from shop.stack.memory import Kind
from shop.stack.native import NativeStack
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Identity, Processes, Spec
from shop.stack.progress import Progress

MYSQL_PORT, REDIS_PORT, LOCALSTACK_PORT = 3306, 6379, 4566
MYSQL_SETTINGS = REPOSITORY / "deploy/mysql/shop.cnf"
REDIS_CONFIGURATION = "/usr/local/etc/redis/redis.conf"
ALIVE = ("running", "paused")


def stack_for(
    layout: Layout, progress: Progress, engine_answers: Callable[[], bool] = docker.daemon_answers
) -> NativeStack:
    """Choose where the parts run: as STACK says, else in containers where an engine answers.

    Raises StackError if STACK wants Docker and no engine answers.
    """
    if choice.choose(os.environ, None, engine_answers) is Kind.NATIVE:
        return NativeStack(layout, progress)
    if not engine_answers():
        raise StackError("no Docker engine answers", "start Docker, or unset STACK")
    return ContainerStack(layout, progress)


@dataclass(frozen=True, kw_only=True)
class Part(Spec):
    """How one container is started: ``argv`` is its command, ``port`` is published on loopback."""

    image: str
    port: int
    published: int
    files: Mapping[str, Path | bytes] = field(default_factory=dict)


class Containers(Processes):
    """The processes of a stack, of which the parts are containers.

    A killed part keeps its container, and with it its data, until ``remove``; should the test run
    be killed itself, Ryuk removes them.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout.run, layout.logs, die_with_parent=layout.die_with_parent)
        self._containers: dict[str, tuple[Part, DockerContainer]] = {}

    def names(self) -> list[str]:
        return sorted({*super().names(), *self._containers})

    def log(self, name: str) -> Path:
        path = super().log(name)
        if name in self._containers and self._status(name) != "not_started":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._wrapped(name).logs())
        return path

    def find(self, name: str) -> Identity | None:
        if name not in self._containers:
            return super().find(name)
        return self._identity(name) if self._status(name) in ALIVE else None

    def start(self, spec: Spec) -> Identity:
        if not isinstance(spec, Part):
            return super().start(spec)
        if spec.name in self._containers:
            self._wrapped(spec.name).start()
        else:
            container = container_of(spec)
            self._containers[spec.name] = (spec, container)
            container.start()
        self._status(spec.name)
        return self._identity(spec.name)

    def signal(self, name: str, number: signal.Signals) -> None:
        if name not in self._containers:
            super().signal(name, number)
            return
        # Of a frozen or thawed container every process is; a signal reaches the first one only.
        match number, self._status(name):
            case signal.SIGSTOP, "running":
                self._wrapped(name).pause()
            case signal.SIGCONT, "paused":
                self._wrapped(name).unpause()
            case ((signal.SIGTERM | signal.SIGKILL), ("running" | "paused")):
                self._wrapped(name).kill(number.name)

    def remove(self) -> None:
        """Remove the containers with their data."""
        while self._containers:
            _, (_, container) = self._containers.popitem()
            container.stop()

    def _status(self, name: str) -> str:
        _, container = self._containers[name]
        container.reload()
        return container.status

    def _wrapped(self, name: str) -> Any:
        _, container = self._containers[name]
        return container.get_wrapped_container()

    def _identity(self, name: str) -> Identity:
        part, _ = self._containers[name]
        pid = self._wrapped(name).attrs["State"]["Pid"]
        return Identity(pid, 0, self._wrapped(name).id, part.fingerprint)


def container_of(part: Part) -> DockerContainer:
    container = DockerContainer(part.image, env=dict(part.env)).with_command(list(part.argv))
    # The engine takes an address beside the port; testcontainers' own types name the port only.
    container.ports[str(part.port)] = (LOOPBACK, part.published)  # type: ignore[assignment]
    for place, content in part.files.items():
        container.with_copy_into_container(content, place)
    return container


class ContainerStack(NativeStack):
    """A test stack whose MySQL, Redis and LocalStack are containers."""

    def __init__(self, layout: Layout, progress: Progress | None = None) -> None:
        super().__init__(layout, progress)
        self.containers = Containers(layout)
        self.processes = self.containers

    def reset(self, *, with_downloads: bool = False) -> None:
        try:
            super().reset(with_downloads=with_downloads)
        finally:
            self.containers.remove()

    def _part_specs(self) -> list[Spec]:
        return list(self.parts())

    def parts(self) -> list[Part]:
        servers = [self._mysql(*item) for item in self.layout.mysql_servers().items()]
        return [self._redis(), self._localstack(), *servers]

    def _mysql(self, name: str, databases: Sequence[str]) -> Part:
        password = self.secrets.mysql_password
        variables = {
            "MYSQL_ROOT_PASSWORD": password,
            "MYSQL_USER": DATABASE_USER,
            "MYSQL_PASSWORD": password,
            "MYSQL_DATABASE": databases[0],
        }
        files: dict[str, Path | bytes] = {
            "/etc/mysql/conf.d/shop.cnf": MYSQL_SETTINGS,
            "/docker-entrypoint-initdb.d/databases.sql": databases_sql(databases).encode(),
        }
        return self._part(name, MYSQL_PORT, variables, files)

    def _redis(self) -> Part:
        return self._part(redis.NAME, REDIS_PORT, {}, {REDIS_CONFIGURATION: redis.SETTINGS})

    def _localstack(self) -> Part:
        # Queue URLs carry this address.
        address = f"{LOOPBACK}:{self.layout.ports.localstack}"
        variables = {"LOCALSTACK_HOST": address} | localstack.quiet(self.layout)
        return self._part(localstack.NAME, LOCALSTACK_PORT, variables)

    def _part(
        self,
        name: str,
        port: int,
        variables: Mapping[str, str],
        files: Mapping[str, Path | bytes] | None = None,
    ) -> Part:
        service = compose_services()[name]
        settings = {**plain_settings(service), **variables}
        return Part(
            name=name,
            argv=tuple(service.get("command", ())),
            env=settings,
            cwd=self.layout.home,
            wiring=settings,
            image=service["image"],
            port=port,
            published=self.layout.ports.of(name),
            files=files or {},
        )


def compose_services() -> Mapping[str, Any]:
    services: Mapping[str, Any] = yaml.safe_load(docker.COMPOSE_FILE.read_text())["services"]
    return services


def plain_settings(service: Mapping[str, Any]) -> dict[str, str]:
    """Return a service's environment but for what Compose itself would have to fill in."""
    environment: Mapping[str, str] = service.get("environment", {})
    return {name: value for name, value in environment.items() if "${" not in value}


def databases_sql(databases: Sequence[str]) -> str:
    """Return what the image runs when it makes its data, before it lets anybody in."""
    account = f"'{DATABASE_USER}'@'%'"
    lines = [f"GRANT ALL ON `scratch\\_%`.* TO {account};"]
    for database in databases:
        lines.append(f"CREATE DATABASE IF NOT EXISTS {database};")
        lines.append(f"GRANT ALL ON {database}.* TO {account};")
    return "\n".join(lines) + "\n"

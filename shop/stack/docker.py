"""The stack in Docker: Compose does the work, this gives it the ports and says what went wrong."""

import os
import shutil
import subprocess

from shop.stack import bus_tools, ports
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY, SERVICES, Layout
from shop.stack.progress import Progress, Step

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
PROBE_TIMEOUT_S = 3.0
# Without one of these nothing gets finished.
DRAINED_BY = frozenset(
    {
        "localstack",
        *(service.mysql for service in SERVICES.values()),
        *(f"{name}-worker" for name in SERVICES),
    }
)


class DockerStack:
    """The Compose project of this repository, with the ports of the layout."""

    def __init__(self, layout: Layout, progress: Progress) -> None:
        self.layout = layout
        self.progress = progress

    def up(self) -> None:
        """Build the image of this source, start everything and wait until it is healthy."""
        if not self.running():
            ports.refuse_taken(self.layout.wanted_ports())
        self.progress.heading("docker compose up -d --wait")
        self._compose("up", "-d", "--build", "--wait", "--remove-orphans")

    def stop(self, *, drain: bool = False) -> None:
        """Stop everything; with `drain` the workers first finish what was taken.

        What they cannot is delivered by the next `up`: the keeper of the bus sees to it.
        """
        if drain and set(self.running()) >= DRAINED_BY:
            self._compose("stop", "gateway")
            bus_tools.drain(os.environ)
        self._compose("down", "--remove-orphans")

    def reset(self, *, with_downloads: bool = False) -> None:
        """Stop everything and delete the volumes; the built images only if asked for."""
        images = ("--rmi", "local") if with_downloads else ()
        self._compose("down", "--volumes", "--remove-orphans", *images)

    def migrate(self, services: list[str]) -> None:
        """Run the one-shot migration jobs again."""
        for service in services:
            # Not `up`: that ends well even where the job failed.
            self.run_job(f"migrate-{service}")

    def run_job(self, name: str, *options: str) -> None:
        """Run a one-shot of the Compose file, with options if given, and wait for its end."""
        command = ("python", "-m", "shop", name, *options) if options else ()
        self._compose("run", "--rm", name, *command)

    def logs(self, process: str | None, *, lines: int, follow: bool) -> None:
        names = (process,) if process else ()
        self._compose("logs", f"--tail={lines}", *(("--follow",) if follow else ()), *names)

    def status(self) -> None:
        self._compose("ps", "--all")

    def running(self) -> list[str]:
        """Name the Compose services that run."""
        command = (*self.command, "ps", "--services", "--status=running")
        answer = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment
        )
        return answer.stdout.split()

    def _compose(self, *arguments: str) -> None:
        if not COMPOSE_FILE.exists():
            raise StackError(f"{COMPOSE_FILE.name} is missing", "git checkout docker-compose.yml")
        result = subprocess.run((*self.command, *arguments), check=False, env=self.environment)
        if result.returncode != 0:
            raise StackError(
                f"docker compose {arguments[0]} failed with exit code {result.returncode}",
                "see its lines above; `docker compose logs <service>` tells more",
            )

    @property
    def command(self) -> tuple[str, ...]:
        return ("docker", "compose", "--file", str(COMPOSE_FILE))

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            ports.port_variable(name): str(port) for name, port in self.layout.ports.items()
        }
        if self.layout.with_edge:
            others = os.environ.get("COMPOSE_PROFILES", "")
            settings["COMPOSE_PROFILES"] = ",".join(filter(None, (others, "edge")))
        return {**os.environ, **settings}


def recent_log_lines(layout: Layout) -> list[str]:
    """Return what the containers logged of late, without their names before the lines."""
    stack = DockerStack(layout, Progress.silent())
    command = (*stack.command, "logs", "--no-color", "--no-log-prefix", "--tail=2000")
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, env=stack.environment
    )
    return answer.stdout.splitlines()


def content_of(layout: Layout, service: str, path: str) -> bytes:
    """Read a file of a running container. Raises StackError."""
    stack = DockerStack(layout, Progress.silent())
    command = (*stack.command, "exec", "-T", service, "cat", path)
    answer = subprocess.run(command, capture_output=True, check=False, env=stack.environment)
    if answer.returncode != 0:
        raise StackError(f"{path} cannot be read in {service}", "make up")
    return answer.stdout


def engine_answers(step: Step | None = None) -> bool:
    """Whether a Docker engine answers within three seconds and has the Compose plugin."""
    return daemon_answers(step) and bool(_answer(("docker", "compose", "version")))


def daemon_answers(step: Step | None = None) -> bool:
    """Whether a Docker engine answers within three seconds, with the Compose plugin or without."""
    if shutil.which("docker") is None:
        return False
    if step is not None:
        step.beat()
    return bool(_answer(("docker", "info", "--format", "{{.ServerVersion}}")))


def _answer(command: tuple[str, ...]) -> str:
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PROBE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""

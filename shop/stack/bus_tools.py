"""The tools that know databases and queues, each run as a program: `shop` itself loads neither."""

import subprocess
import sys
from collections.abc import Mapping

from shop.stack.layout import REPOSITORY, Layout
from shop.stack.progress import Progress, last_line, run_logged


def replay(layout: Layout, env: Mapping[str, str], progress: Progress) -> None:
    """Publish again what a new bus cannot know of. Raises StackError."""
    log = layout.logs / "bus.log"
    with progress.step("looking for events that were lost") as step:
        run_logged(step, _command("replay"), log, env=env, cwd=REPOSITORY)
        progress.done(f"the bus is complete ({last_line(log)})", step.elapsed_s)


def drain(env: Mapping[str, str]) -> bool:
    """Wait until outboxes and queues are empty, telling how far it is; False if they are not."""
    return subprocess.run(_command("drain"), env=env, cwd=REPOSITORY, check=False).returncode == 0


def _command(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "shop", "bus", name)

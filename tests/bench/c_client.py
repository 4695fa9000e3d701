"""The fastest there is to compare with: sysbench, a C client, updating one row."""

import os
import re
import subprocess
from pathlib import Path

from sqlalchemy.engine import make_url

from shop.stack.errors import StackError
from tests.bench.load import LUA
from tests.bench.world import Needs, World

SPARE_S = 60
DATABASE = "scratch_bench"
SECONDS_SHARE = 2
_RATE = re.compile(r"queries:\s+\d+\s+\(([\d.]+) per sec")


def one_row_updates(world: World, threads: int) -> float:
    """Return how many updates of one row are committed in a second, each on its own."""
    if world.tools.sysbench is None:
        raise Needs("sysbench")
    tool = world.tools.sysbench
    config = _config(world, threads)
    ended = subprocess.run(
        [*tool.command, f"--config-file={config}", str(LUA / "one_row.lua"), "run"],
        env={**os.environ, **tool.env},
        capture_output=True,
        text=True,
        timeout=world.seconds + SPARE_S,
        check=False,
    )
    rate = parse_rate(ended.stdout)
    if ended.returncode != 0 or rate is None:
        reason = (ended.stdout + ended.stderr).strip().splitlines()[-1:]
        raise StackError(f"sysbench failed: {' '.join(reason)}", "run it by hand")
    return rate


def parse_rate(output: str) -> float | None:
    found = _RATE.search(output)
    return float(found[1]) if found else None


def _config(world: World, threads: int) -> Path:
    """Write the options into a file: a password has no place on a command line."""
    url = make_url(world.stack.database_url("catalog"))
    options = {
        "db-driver": "mysql",
        "mysql-host": url.host,
        "mysql-port": url.port,
        "mysql-user": url.username,
        "mysql-password": url.password,
        "mysql-db": DATABASE,
        "threads": threads,
        "time": max(1, round(world.seconds / SECONDS_SHARE)),
    }
    file = world.stack.layout.home / "sysbench.conf"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in options.items()))
    return file


def make_counter(world: World) -> None:
    """Make the row in a database that the stack's own user may create; once for a run."""
    world.execute(
        "catalog",
        f"CREATE DATABASE {DATABASE}",
        "CREATE TABLE scratch_bench.counter (id INT PRIMARY KEY, reserved BIGINT NOT NULL)",
        "INSERT INTO scratch_bench.counter VALUES (1, 0)",
    )

"""Driving load with wrk."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common_lib.ids import new_id
from shop.stack.errors import StackError
from tests.bench.tools import Tool

LUA = Path(__file__).with_name("lua")
TIMEOUT_S = 10
SPARE_S = 30
COUNTED_DIGITS = 12


@dataclass(frozen=True)
class Request:
    """What is sent again and again.

    `tokens` and `bodies` hold one a line, taken in turn; `{id}` in a body and the idempotency key
    are fresh each time.
    """

    method: str = "GET"
    path: str = "/"
    tokens: Path | None = None
    bodies: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What wrk saw. `refused` counts answers from 400 up, `broken` what got no answer."""

    requests: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def succeeded(self) -> int:
        return self.requests - self.refused

    @property
    def per_second(self) -> float:
        return self.succeeded / self.elapsed_s if self.elapsed_s else 0.0


def parse(output: str) -> Outcome:
    """Read the line of JSON that lua/load.lua ends with."""
    line = next(line for line in reversed(output.splitlines()) if line.startswith("{"))
    found: dict[str, Any] = json.loads(line)
    return Outcome(
        requests=found["requests"],
        elapsed_s=found["elapsed_us"] / 1e6,
        p50_ms=found["p50_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
        refused=found["refused"],
        broken=found["broken"],
    )


def run(
    wrk: Tool,
    url: str,
    request: Request,
    *,
    clients: int,
    seconds: float,
    pause_ms: int = 0,
    is_at_random: bool = False,
) -> Outcome:
    """Keep `clients` requests in flight for `seconds`, each client pausing between its requests.

    The clients' pauses are equal, which keeps the clients in step, or independent of each other.
    """
    script = "paced.lua" if pause_ms else "load.lua"
    command = [
        *wrk.command,
        "-t1",
        f"-c{clients}",
        f"-d{max(1, round(seconds))}s",
        f"--timeout={TIMEOUT_S}s",
        f"--script={LUA / script}",
        url,
        "--",
        request.method,
        request.path,
        str(request.tokens or "-"),
        str(request.bodies or "-"),
        _id_prefix(),
    ]
    pace = {"LOAD_SCRIPT": str(LUA / "load.lua"), "PAUSE_MS": str(pause_ms)}
    pace["PAUSE_AT_RANDOM"] = str(int(is_at_random))
    ended = subprocess.run(
        command,
        env={**os.environ, **wrk.env, **pace},
        capture_output=True,
        text=True,
        timeout=seconds + SPARE_S,
        check=False,
    )
    if ended.returncode != 0:
        raise StackError(f"wrk ended with {ended.returncode}: {ended.stderr.strip()}", "try again")
    return parse(ended.stdout)


def _id_prefix() -> str:
    """Return a UUIDv7 without its last twelve digits, which count the requests."""
    return str(new_id())[:-COUNTED_DIGITS]

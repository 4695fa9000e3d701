"""How long the event loop is kept waiting while passwords are hashed beside it.

Usage: python -m tests.bench.stalls SECONDS. Prints a line of JSON: milliseconds that a callback due
in one millisecond came late, with nothing else to do and under a flood of passwords.
"""

import asyncio
import json
import sys
import time
from typing import Final

import uvloop

from tests.bench.stats import percentile
from user_service.services.passwords import PasswordHasher

TICK_S: Final = 0.001
ROUNDS: Final = 12
THREADS: Final = 2
FLOOD: Final = 8


async def lateness_ms(seconds: float) -> list[float]:
    ends_at, late = time.perf_counter() + seconds, list[float]()
    while (began := time.perf_counter()) < ends_at:
        await asyncio.sleep(TICK_S)
        late.append((time.perf_counter() - began - TICK_S) * 1000)
    return late


async def flooded(seconds: float) -> tuple[list[float], int]:
    """Return the lateness while more passwords come than can be hashed, and how many were."""
    hasher = PasswordHasher(rounds=ROUNDS, threads=THREADS, queue=FLOOD)
    done = 0

    async def client() -> None:
        nonlocal done
        while True:
            await hasher.verify("not-the-password", await hasher.hash("a-long-password"))
            done += 2

    clients = [asyncio.create_task(client()) for _ in range(FLOOD)]
    late = await lateness_ms(seconds)
    for task in clients:
        task.cancel()
    hasher.close()
    return late, done


async def measured(seconds: float) -> dict[str, float]:
    idle = await lateness_ms(seconds)
    late, hashed = await flooded(seconds)
    return {
        "idle_p99_ms": percentile(idle, 0.99),
        "idle_worst_ms": max(idle),
        "p99_ms": percentile(late, 0.99),
        "worst_ms": max(late),
        "hashed": hashed,
    }


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(measured(float(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()

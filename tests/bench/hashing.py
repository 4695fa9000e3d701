"""Passwords: what hashing them costs those who only look at products."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from shop.stack.layout import REPOSITORY
from tests.bench import load
from tests.bench.load import Outcome, Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import World

SECTION: Final = "Passwords"
ROUNDS: Final = 2
GATEWAY, CATALOG, USER = "gateway", "catalog", "user"
GOAL_STALL_MS: Final = 5.0
GOAL_SLOWER: Final = 2.0
SPARE_S: Final = 30
# Readers: at most 800 requests a second. Logins: some 60 arrive a second and fewer than ten can be
# hashed, so that the queue is always full and most are turned away.
READERS, READER_PAUSE_MS = 8, 10
LOGINS, LOGIN_PAUSE_MS = 48, 250
# No such account: it costs a hash like any other, and no account's own limit is reached.
LOGIN: Final = '{"email":"nobody-{id}@example.com","password":"not-the-password"}'
STRONG: Final = {"SHOP_BCRYPT_ROUNDS": "12"}


def measure(world: World) -> list[Row]:
    return [_stalls(world), _flood(world)]


def _stalls(world: World) -> Row:
    """Measure beside nothing but the resting shop: the stalls are to be those of hashing."""
    with world.step("the event loop beside hashing"):
        argv = [sys.executable, "-m", "tests.bench.stalls", str(world.seconds / ROUNDS)]
        timeout_s = 2 * world.seconds + SPARE_S
        ended = subprocess.run(
            argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout_s, check=True
        )
    found = json.loads(ended.stdout)
    return Row(
        f"Hashing never stalls the event loop for more than {GOAL_STALL_MS:.0f} ms",
        f"worst {found['worst_ms']:.2f}, p99 {found['p99_ms']:.2f} ms late over "
        f"{found['hashed']} hashes; without them worst {found['idle_worst_ms']:.2f}, "
        f"p99 {found['idle_p99_ms']:.2f} ms",
        f"{ratio(found['worst_ms'], GOAL_STALL_MS):.2f}",
        found["worst_ms"] <= GOAL_STALL_MS,
    )


def _flood(world: World) -> Row:
    (variant,) = world.variants(1)
    world.need(USER, env=STRONG)
    world.need(CATALOG, GATEWAY)
    reads = Request(path=f"/api/products/{variant.product_id}")
    logins = Request("POST", "/api/auth/login", bodies=_bodies(world))
    world.warm_up(world.stack.layout.url(GATEWAY), reads)
    calm, flooded, flood = [], [], []
    for turn in range(ROUNDS):
        with world.step(f"product reads, calm and under a flood of logins, round {turn + 1}"):
            calm.append(_read(world, reads))
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(_login, world, logins)
                flooded.append(_read(world, reads))
                flood.append(other.result())
    world.stop([USER])
    return _row(calm, flooded, flood)


def _bodies(world: World) -> Path:
    file = world.stack.layout.home / "logins"
    file.write_text(LOGIN + "\n")
    return file


def _read(world: World, request: Request) -> Outcome:
    return world.measure(
        world.stack.layout.url(GATEWAY),
        request,
        clients=READERS,
        watch=[GATEWAY],
        seconds=world.seconds / ROUNDS,
        pause_ms=READER_PAUSE_MS,
    ).outcome


def _login(world: World, request: Request) -> Outcome:
    return load.run(
        world.wrk,
        world.stack.layout.url(GATEWAY),
        request,
        clients=LOGINS,
        seconds=world.seconds / ROUNDS,
        pause_ms=LOGIN_PAUSE_MS,
    )


def _row(calm: list[Outcome], flooded: list[Outcome], flood: list[Outcome]) -> Row:
    before, during = (max(run.p99_ms for run in runs) for runs in (calm, flooded))
    slower = ratio(during, before)
    logins = sum(run.requests for run in flood) / sum(run.elapsed_s for run in flood)
    reads = sum(run.requests for run in flooded) / sum(run.elapsed_s for run in flooded)
    return Row(
        f"A login flood slows product reads at most {GOAL_SLOWER:.0f} times, p99 at the gateway",
        f"p99 {during:.2f} ms beside {logins:.0f} logins a second at cost 12, {before:.2f} ms "
        f"without; {reads:,.0f} reads a second",
        f"{slower:.2f}",
        slower <= GOAL_SLOWER,
    )

"""`make fuzz`: start a shop of its own, send generated requests, tell what broke a promise."""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.progress import Progress
from tests import seeding
from tests.conftest import TEST_ENVIRONMENT
from tests.fuzz import campaign
from tests.fuzz.campaign import Breach, Report

REQUESTS: Final = 100_000
TOLD_EVERY_S: Final = 10.0
SHOWN: Final = 40


def main() -> int:
    options = _options(sys.argv[1:])
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="shop-fuzz-") as home:
        try:
            report, took_s = _run(Path(home), options, console)
        except StackError as error:
            console.print(f"[red]error:[/] {error.cause}. Fix: {error.fix}")
            return 1
    for line in lines(report, took_s):
        console.print(line, markup=False, soft_wrap=True)
    return 0 if report.is_clean else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many (default 100000)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the run of this seed")
    return parser.parse_args(arguments)


def _run(home: Path, options: argparse.Namespace, console: Console) -> tuple[Report, float]:
    stack = NativeStack(Layout.for_tests(home, env=TEST_ENVIRONMENT), Progress(console))
    seed = options.seed if options.seed is not None else secrets.randbelow(2**32)
    try:
        stack.start_parts()
        stack.migrate()
        stack.start_processes()
        seeding.fill(stack)
        console.print(f"Seed {seed}: {options.requests} requests")
        gateway, started = stack.layout.url("gateway"), time.monotonic()
        report = campaign.run(
            gateway, requests=options.requests, seed=seed, progress=_teller(console)
        )
        return report, time.monotonic() - started
    finally:
        stack.reset()


def _teller(console: Console) -> campaign.Progress:
    """Return what tells every ten seconds how far the run is."""
    started = time.monotonic()
    told_at = started

    def tell(report: Report) -> None:
        nonlocal told_at
        while report.news:
            for text in shown(report.news.pop(0)):
                console.print(text, markup=False, soft_wrap=True)
        if time.monotonic() - told_at < TOLD_EVERY_S:
            return
        told_at = time.monotonic()
        rate = report.requests / (told_at - started)
        console.print(
            f"{report.requests} requests, {rate:.0f}/s, {len(report.breaches)} kinds of breaches"
        )

    return tell


def lines(report: Report, took_s: float) -> list[str]:
    """Return what a run found, and how to repeat it."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(report.statuses.items()))
    told = [
        f"{report.requests} requests in {took_s:.0f} s ({report.requests / took_s:.0f}/s)",
        f"answers: {statuses}",
        f"{len(report.operations)} operations, {len(report.succeeded)} of them with success",
        *_never(report),
        f"{len(report.breaches)} kinds of breaches, {len(report.errors)} errors",
    ]
    for kind, breach in list(report.breaches.items())[:SHOWN]:
        told += ["", f"{report.seen[kind]} times:", *shown(breach)]
    told += report.errors[:SHOWN]
    if not report.is_clean:
        told += ["", f"Repeat it: make fuzz REQUESTS={report.requests} SEED={report.seed}"]
    return told


def shown(breach: Breach) -> list[str]:
    """Return a breach and the request that shows it."""
    return [f"{breach.operation}: {breach.promise}", breach.told, breach.request]


def _never(report: Report) -> list[str]:
    never = sorted(set(report.operations) - report.succeeded)
    return [f"never with success: {', '.join(never)}"] if never else []


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.mutation`: how many small faults in the pure rules the tests notice.

Ends with 1 when fewer than 90 % of a module's mutants are noticed, after naming those that are not.
"""

import argparse
import os
import queue
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.running import Copy
from tests.mutation.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
WANTED_SHARE = 0.9

console = Console(highlight=False)


def main() -> int:
    asked = _asked()
    targets = _targets(asked.only)
    mutants = [mutant for target in targets for mutant in mutants_of(target, ROOT)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as home:
        copies = [Copy(ROOT, Path(home) / str(number)) for number in range(asked.workers)]
        try:
            _require_green(copies[0], targets)
            survivors = _survivors(mutants, copies)
        finally:
            for copy in copies:
                copy.close()
    shares = _report(targets, mutants, survivors)
    return 0 if min(shares) >= WANTED_SHARE else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="modules whose path holds this text")
    cores = os.cpu_count() or 1
    parser.add_argument("--workers", type=int, default=cores, help="copies that run tests at once")
    return parser.parse_args()


def _targets(only: str) -> list[Target]:
    targets = [target for target in TARGETS if only in target.module]
    if not targets:
        raise SystemExit(f"error: no module's path holds {only!r}")
    return targets


def _require_green(copy: Copy, targets: list[Target]) -> None:
    for target in targets:
        if not copy.passes(target.tests):
            raise SystemExit(f"error: {' '.join(target.tests)} fails as it is. Fix: make unit")


def _survivors(mutants: list[Mutant], copies: list[Copy]) -> list[Mutant]:
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def survives(mutant: Mutant) -> bool:
        copy = free.get()
        try:
            return copy.survives(mutant)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as threads:
        verdicts = track(threads.map(survives, mutants), "mutants", len(mutants), console=console)
        return [mutant for mutant, survived in zip(mutants, verdicts, strict=True) if survived]


def _report(targets: list[Target], mutants: list[Mutant], survivors: list[Mutant]) -> list[float]:
    """Say what was not noticed, and return each module's share of what was."""
    for mutant in survivors:
        original = (ROOT / mutant.target.module).read_text(encoding="utf-8")
        console.print(f"\n{mutant.target.module}:{mutant.line} {mutant.operator}", style="bold")
        console.print(mutant.difference(original), markup=False)
    made = Counter(mutant.target.module for mutant in mutants)
    left = Counter(mutant.target.module for mutant in survivors)
    table = Table("module", "mutants", "survived", "noticed")
    for module in (target.module for target in targets):
        table.add_row(module, *_row(made[module], left[module]))
    table.add_row("all", *_row(len(mutants), len(survivors)), style="bold")
    console.print(table)
    return [_share(made[target.module], left[target.module]) for target in targets]


def _row(made: int, left: int) -> tuple[str, str, str]:
    return str(made), str(left), f"{_share(made, left):.1%}"


def _share(made: int, left: int) -> float:
    return 1 - left / made if made else 1.0


if __name__ == "__main__":
    sys.exit(main())

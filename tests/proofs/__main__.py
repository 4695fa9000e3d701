"""`python -m tests.proofs`: break each item of the mission and see its tests fail.

Ends with 1 if a test passes although its item is broken, after naming it.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.proofs.fault import AnyFault
from tests.proofs.faults.every import FAULTS
from tests.proofs.rows import ROOT, Row, rows
from tests.proofs.running import Workshop

console = Console(highlight=False, soft_wrap=True)

# A test and an item that it is said to prove.
Claim = tuple[int, str]


def main() -> int:
    claimed = _claimed()
    faults = [fault for fault in FAULTS if claimed.keys() & set(fault.items)]
    with tempfile.TemporaryDirectory(prefix="proofs-") as home:
        workshop = Workshop(ROOT, Path(home))
        try:
            _require_green(workshop, claimed)
            proven = {claim for fault in faults for claim in _proven(workshop, fault, claimed)}
        finally:
            workshop.close()
    return _report(claimed, proven)


def _claimed() -> dict[int, Row]:
    """Return the rows asked for, by item, with those of their tests that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("items", nargs="*", type=int, help="items to break; all without any")
    parser.add_argument("--only", nargs="+", default=["tests/"], help="folders: tests/unit ...")
    given = parser.parse_args()
    chosen = [row for row in rows() if not given.items or row.item in given.items]
    in_folders = tuple(given.only)
    left = (replace(r, tests=tuple(t for t in r.tests if t.startswith(in_folders))) for r in chosen)
    return {row.item: row for row in left if row.tests}


def _require_green(workshop: Workshop, claimed: dict[int, Row]) -> None:
    outcome = workshop.run({test for row in claimed.values() for test in row.tests})
    if not outcome.is_green:
        names = ", ".join(sorted(outcome.failed | outcome.unjudged))
        raise SystemExit(f"error: fails with nothing broken: {names}")
    console.print("all tests pass with nothing broken")


def _proven(workshop: Workshop, fault: AnyFault, claimed: dict[int, Row]) -> set[Claim]:
    """Return the claims that the fault bears out."""
    claims = {
        (item, test) for item in fault.items if item in claimed for test in claimed[item].tests
    }
    with workshop.broken(fault):
        outcome = workshop.run(test for _, test in claims)
    failing = outcome.failed | _broken_off(workshop, outcome.unjudged)
    noticed = {claim for claim in claims if claim[1] in failing}
    names = ", ".join(str(item) for item in fault.items)
    console.print(f"{names}: {len(noticed)} of {len(claims)} notice {fault}")
    return noticed


def _broken_off(workshop: Workshop, unjudged: frozenset[str]) -> frozenset[str]:
    """Return the tests whose set-up the fault broke: those that are green again without it."""
    if not unjudged:
        return frozenset()
    again = workshop.run(unjudged)
    return unjudged - again.failed - again.unjudged


def _report(claimed: dict[int, Row], proven: set[Claim]) -> int:
    claims = [(row.item, test) for row in claimed.values() for test in row.tests]
    unproven = [claim for claim in claims if claim not in proven]
    for item, test in unproven:
        console.print(f"item {item}: passes although it is broken: {test}", style="red")
    console.print(f"{len(claims) - len(unproven)} of {len(claims)} claims borne out")
    return 1 if unproven else 0


if __name__ == "__main__":
    sys.exit(main())

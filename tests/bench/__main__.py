"""`make bench`: one run over all measurements, printed as ratios, kept in docs/benchmarks.md."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from shop.stack import mysql
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY, Layout
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports
from shop.stack.progress import Progress
from tests.bench import (
    events,
    gateway_hop,
    hashing,
    hot_item,
    machine,
    orders,
    overload,
    product_read,
    report,
    residents,
    search,
    tools,
)
from tests.bench.report import Report, Row
from tests.bench.world import ENVIRONMENT, Needs, World

DOCUMENT: Final = REPOSITORY / "docs" / "benchmarks.md"
DEADLINE_S: Final = 15 * 60
SECONDS: Final = 6.0
NOT_YET: Final = (
    "Order writes against sysbench's per-order commits, the plain stack, growth to a million "
    "orders, the share of metrics and tracing: goals of spec/performance.md that no measurement "
    "here covers yet."
)

Measure = Callable[[World], list[Row]]
MEASUREMENTS: Final[dict[str, tuple[str, Measure]]] = {
    "gateway": (gateway_hop.SECTION, gateway_hop.measure),
    "products": (product_read.SECTION, product_read.measure),
    "passwords": (hashing.SECTION, hashing.measure),
    "events": (events.SECTION, events.measure),
    "orders": (orders.SECTION, orders.measure),
    "overload": (overload.SECTION, overload.measure),
    "reservations": (hot_item.SECTION, hot_item.measure),
    "memory": (residents.SECTION, residents.measure),
    # Last: it leaves a hundred times the products behind.
    "search": (search.SECTION, search.measure),
}


def main() -> int:
    options = _options(sys.argv[1:])
    console = Console()
    with tempfile.TemporaryDirectory(prefix="shop-bench-") as home:
        try:
            found, described = _run(Path(home), options, console)
        except StackError as error:
            console.print(f"[red]error:[/] {error.cause}. Fix: {error.fix}", highlight=False)
            return 1
    _show(found, console)
    if options.only:
        console.print(f"Only a part was measured: {DOCUMENT.name} stays as it is.")
    else:
        report.write(DOCUMENT, found, described, datetime.now(UTC).date())
        console.print(f"Written to {DOCUMENT.relative_to(REPOSITORY)}.")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only",
        type=_names,
        default=[],
        metavar="NAME,...",
        help=f"measure only these of {', '.join(MEASUREMENTS)}; the document is not written",
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long each load lasts (default 6)"
    )
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in MEASUREMENTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(MEASUREMENTS)}")
    return names


def _run(
    home: Path, options: argparse.Namespace, console: Console
) -> tuple[Report, machine.Machine]:
    progress = Progress(console)
    load_before, _, _ = os.getloadavg()
    layout = Layout.for_tests(home, env=ENVIRONMENT | _own_metrics_port())
    progress.heading("Tools")
    toolbox = tools.collect(layout, progress)
    stack = NativeStack(layout, progress)
    world = World(stack, toolbox, progress, options.seconds)
    found = Report()
    if missing := toolbox.missing():
        found.left_out.append(f"{', '.join(missing)} is missing. Fix: {tools.FIX}")
    try:
        stack.start_parts()
        stack.migrate()
        _measure_all(world, options.only or list(MEASUREMENTS), found)
        label = mysql.choose(layout, Progress.silent()).label
        described = machine.describe(label, load_before)
        if described.was_busy:
            progress.warn(f"others were at work here (load {load_before:.1f}): rough figures")
    finally:
        progress.heading("Stopping")
        stack.reset()
    if not options.only:
        found.left_out.append(NOT_YET)
    return found, described


def _own_metrics_port() -> dict[str, str]:
    (port,) = free_ports(1)
    return {"SHOP_METRICS_PORT": str(port)}


def _measure_all(world: World, names: Sequence[str], found: Report) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    for name in names:
        section, measure = MEASUREMENTS[name]
        world.progress.heading(section)
        if time.monotonic() > ends_at:
            found.left_out.append(f"{section}: the run had taken {DEADLINE_S / 60:.0f} minutes")
            continue
        try:
            found.add(section, measure(world))
        except Needs as tool:
            found.left_out.append(f"{section}: needs {tool}. Fix: {tools.FIX}")
        except StackError as error:
            found.left_out.append(f"{section}: {error.cause}")
            world.progress.warn(str(error))


def _show(found: Report, console: Console) -> None:
    shown = Table(title="Ratios of this run", show_lines=False)
    for heading in report.HEADINGS:
        shown.add_column(heading, overflow="fold")
    for row in found.rows:
        colour = {True: "green", False: "red", None: ""}[row.is_met]
        shown.add_row(*row.cells(), style=colour)
    console.print(shown)
    for why in found.left_out:
        console.print(f"left out: {why}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())

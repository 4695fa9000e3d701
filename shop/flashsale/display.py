"""What the watcher of a sale sees: a live panel on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shop.audit import Finding
from shop.flashsale.crowd import Tally
from shop.flashsale.plan import Measured, Plan
from shop.stack.progress import Progress

_LINE_EVERY_S: Final = 2.0
_REFRESHES_PER_S: Final = 8
_SHOWN: Final = 3


class Scoreboard:
    """Shows the sale while it goes on; ``show`` is called as often as one likes."""

    def __init__(self, console: Console, plan: Plan, name: str) -> None:
        self._console = console
        self._plan = plan
        self._name = name
        self._live: Live | None = None
        self._spoken_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=_REFRESHES_PER_S, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, tally: Tally, units_left: int) -> None:
        if self._live is not None:
            self._live.update(self._panel(tally, units_left))
        elif time.monotonic() - self._spoken_at >= _LINE_EVERY_S:
            self._spoken_at = time.monotonic()
            self._console.print(f"  … {_line(tally, units_left)}", highlight=False, soft_wrap=True)

    def _panel(self, tally: Tally, units_left: int) -> Panel:
        plan, now = self._plan, tally.measured
        table = Table.grid(padding=(0, 3))
        table.add_row(
            f"[green]sold[/] [bold]{len(tally.placed):,}[/]",
            f"[yellow]sold out for[/] [bold]{len(tally.refused):,}[/]",
            f"at the counter [bold]{tally.in_flight}[/]",
            f"waiting [bold]{plan.buyers - tally.answered - tally.in_flight:,}[/]",
            f"stock left [bold]{units_left:,}[/]",
        )
        table.add_row(
            f"[bold]{now.answers_per_s:,.0f}[/] answers/s",
            f"[bold]{now.sold_per_s:,.0f}[/] orders/s",
            f"p50 [bold]{now.p50_ms:,.0f}[/] ms",
            f"p99 [bold]{now.p99_ms:,.0f}[/] ms",
            f"asked again [bold]{tally.repeats.total():,}[/]",
        )
        bar = ProgressBar(total=plan.buyers, completed=tally.answered)
        title = f"[bold]Flash sale[/] · {self._name} · {tally.elapsed_s:.1f} s"
        return Panel(Group(bar, Text(), table), title=title, expand=False, padding=(1, 2))


def _line(tally: Tally, units_left: int) -> str:
    now = tally.measured
    return (
        f"{tally.elapsed_s:.0f} s: sold {len(tally.placed):,}, refused {len(tally.refused):,}, "
        f"in flight {tally.in_flight}, stock left {units_left:,}, "
        f"{now.answers_per_s:,.0f} answers/s, p50 {now.p50_ms:,.0f} ms, p99 {now.p99_ms:,.0f} ms"
    )


def print_rush(progress: Progress, tally: Tally) -> None:
    """Print how the rush went, and why buyers had to ask again."""
    now = tally.measured
    progress.done(
        f"sold {len(tally.placed):,}, refused {len(tally.refused):,}:"
        f" {now.answers_per_s:,.0f} answers/s, {now.sold_per_s:,.0f} orders/s,"
        f" p50 {now.p50_ms:,.0f} ms, p99 {now.p99_ms:,.0f} ms",
        tally.elapsed_s,
    )
    if tally.repeats:
        asked = ", ".join(f"{code} {count:,}" for code, count in tally.repeats.most_common())
        progress.note(f"asked again with the same key: {asked}")


def print_findings(console: Console, heading: str, findings: Sequence[Finding]) -> None:
    """Print each sentence with a mark, and what breaks it."""
    console.print(f"[bold]{heading}[/]", highlight=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.is_kept else "[red]✗[/]"
        shown = ", ".join(finding.offenders[:_SHOWN])
        more = len(finding.offenders) - _SHOWN
        broken = f": {shown}{f' and {more:,} more' if more > 0 else ''}" if shown else ""
        console.print(f"  {mark} ", Text(finding.sentence + broken), sep="", soft_wrap=True)


def print_comparison(console: Console, sale: Measured, baseline: Measured, buyers: int) -> None:
    """Print the sale beside the lock-per-request design."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("")
    for name in ("answers/s", "sold/s", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    table.add_row("this sale: whole orders through the gateway", *_numbers(sale))
    table.add_row(
        f"lock per request: only a counter, {buyers} in process", *_numbers(baseline), style="dim"
    )
    console.print(table)
    console.print(
        "  → an order is much more than a counter: `make bench` measures the item alone, both ways",
        highlight=False,
    )


def _numbers(measured: Measured) -> tuple[str, ...]:
    return (
        f"{measured.answers_per_s:,.0f}",
        f"{measured.sold_per_s:,.0f}",
        f"{measured.p50_ms:,.0f}",
        f"{measured.p99_ms:,.0f}",
    )

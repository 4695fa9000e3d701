"""Tells a person what the stack is doing: a spinner on a terminal, plain lines elsewhere."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.status import Status

from shop.stack.errors import StackError
from shop.stack.processes import POLL_S

HEARTBEAT_S = 10.0


class Step:
    """One piece of long work under way; ``beat`` is called while it goes on."""

    def __init__(self, console: Console, label: str, status: Status | None) -> None:
        self._console = console
        self.label = label
        self._status = status
        self._started = time.monotonic()
        self._spoken = self._started

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def beat(self, detail: str = "") -> None:
        text = f"{self.label} {detail}".rstrip()
        if self._status is not None:
            self._status.update(f"{escape(text)} [dim]{self.elapsed_s:.0f} s[/]")
        elif time.monotonic() - self._spoken >= HEARTBEAT_S:
            self._spoken = time.monotonic()
            self._console.print(
                f"  … {text} ({self.elapsed_s:.0f} s)", markup=False, soft_wrap=True
            )

    def remark(self, text: str) -> None:
        """Say something that stays on the screen."""
        self._console.print(f"  · {text}", markup=False, highlight=False, soft_wrap=True)


class Bar:
    """Counted work under way; ``advance`` is called with what was done since."""

    def __init__(self, total: int, show: Callable[["Bar"], None]) -> None:
        self.total = total
        self.completed = 0
        self._show = show
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """What was done per second, from the start."""
        return self.completed / max(self.elapsed_s, 1e-3)

    @property
    def remaining_s(self) -> float:
        return (self.total - self.completed) / max(self.rate, 1e-3)

    def advance(self, count: int) -> None:
        self.completed += count
        self._show(self)


class Progress:
    """Prints steps to a console; ``Progress.silent()`` prints nothing."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @classmethod
    def silent(cls) -> "Progress":
        return cls(Console(quiet=True))

    def heading(self, text: str) -> None:
        self.console.print(f"[bold]{escape(text)}[/]", highlight=False)

    def done(self, text: str, seconds: float | None = None) -> None:
        took = "" if seconds is None else f" [dim]{seconds:.1f} s[/]"
        self.console.print(f"  [green]✓[/] {escape(text)}{took}", highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        self.console.print(f"  [dim]·[/] {escape(text)}", highlight=False, soft_wrap=True)

    def quote(self, line: str) -> None:
        self.console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.console.print(f"  [yellow]![/] {escape(text)}", highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """Show the label with running seconds until the block ends; the block says what came."""
        if not self.console.is_terminal:
            yield Step(self.console, label, None)
            return
        with self.console.status(escape(label)) as status:
            yield Step(self.console, label, status)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Bar]:
        """Show how much of `total` is done, the rate and the time left, until the block ends."""
        if not self.console.is_terminal:
            step = Step(self.console, label, None)
            yield Bar(total, lambda bar: step.beat(_told(bar)))
            return
        with RichProgress(*_COLUMNS, console=self.console, transient=True) as shown:
            task = shown.add_task(escape(label), total=total, rate="")
            yield Bar(
                total,
                lambda bar: shown.update(task, completed=bar.completed, rate=f"{bar.rate:,.0f}/s"),
            )


_COLUMNS = (
    TextColumn("  {task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[rate]}"),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


def _told(bar: Bar) -> str:
    done = f"{bar.completed:,} of {bar.total:,}, {bar.rate:,.0f}/s"
    return f"{done}, {bar.remaining_s:.0f} s left"


def run_logged(
    step: Step,
    argv: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: IO[bytes] | None = None,
) -> None:
    """Run a command with its output in ``log``; raises StackError with its last line."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv, stdin=stdin or subprocess.DEVNULL, stdout=output, stderr=output, env=env, cwd=cwd
        )
        try:
            _wait(child, step.beat)
        finally:
            _end(child)
    if child.returncode != 0:
        raise StackError(
            f"{step.label} failed ({last_line(log) or f'exit {child.returncode}'})",
            f"see {log}",
        )


def last_line(log: Path) -> str:
    lines = tail(log, 1)
    return lines[0].strip() if lines else ""


def tail(log: Path, count: int) -> list[str]:
    """Return the last non-empty lines of a log, without reading a large file whole."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64 * 1024))
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-count:]


def _wait(child: "subprocess.Popen[bytes]", beat: Callable[[], None]) -> None:
    while child.poll() is None:
        beat()
        time.sleep(POLL_S)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.kill()
        child.wait()

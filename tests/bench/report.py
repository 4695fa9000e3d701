"""What a run found, as a table and as docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.bench.machine import Machine

KEPT_FROM = "<!-- written by hand; `make bench` keeps what stands between these marks -->"
KEPT_TO = "<!-- end of what is written by hand -->"
FIRST_LESSONS = "## Lessons of the profiles\n\nNone written yet."
HEADINGS = ("Goal", "Measured", "Ratio", "Met?")
INTRODUCTION = (
    "Written by `make bench` on {day}, in one run on the machine below, which it shared with its "
    "own load generator. Absolute figures move by a fifth from run to run; the ratios are within "
    "this run, with baselines measured in turns with what they are compared to. CPU is user plus "
    "system time from `/proc/<pid>/stat` of the processes named, divided by the requests answered."
)


@dataclass(frozen=True)
class Row:
    """One line of the table; `is_met` is None where no goal stands against the figure."""

    goal: str
    measured: str
    ratio: str = ""
    is_met: bool | None = None

    def cells(self) -> tuple[str, str, str, str]:
        verdict = {True: "yes", False: "no", None: "-"}[self.is_met]
        return self.goal, self.measured, self.ratio or "-", verdict


@dataclass
class Report:
    """The rows of each part, and what was left out and why."""

    sections: dict[str, list[Row]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, section: str, rows: Iterable[Row]) -> None:
        self.sections.setdefault(section, []).extend(rows)

    @property
    def rows(self) -> list[Row]:
        return [row for rows in self.sections.values() for row in rows]

    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.is_met is False]


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
    return "\n".join([*lines, *(_line(row.cells()) for row in rows)])


def document(report: Report, machine: Machine, day: date, lessons: str) -> str:
    """Return docs/benchmarks.md; `lessons` is what stood between the marks."""
    parts = ["# Benchmarks", INTRODUCTION.format(day=day.isoformat()), machine.sentence()]
    for section, rows in report.sections.items():
        parts += [f"## {section}", table(rows)]
    if report.left_out:
        parts += ["## Left out of this run", "\n".join(f"- {why}" for why in report.left_out)]
    parts.append("\n".join([KEPT_FROM, lessons.strip("\n"), KEPT_TO]))
    return "\n\n".join(parts) + "\n"


def kept_lessons(text: str) -> str:
    """Return what stands between the marks of an earlier document, else an empty section."""
    _, start, rest = text.partition(KEPT_FROM)
    lessons, end, _ = rest.partition(KEPT_TO)
    return lessons.strip("\n") if start and end else FIRST_LESSONS


def write(path: Path, report: Report, machine: Machine, day: date) -> None:
    lessons = kept_lessons(path.read_text() if path.exists() else "")
    path.write_text(document(report, machine, day, lessons))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

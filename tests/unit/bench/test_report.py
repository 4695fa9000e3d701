from dataclasses import replace
from datetime import date
from pathlib import Path

from tests.bench.machine import Machine
from tests.bench.report import (
    FIRST_LESSONS,
    KEPT_FROM,
    KEPT_TO,
    Report,
    Row,
    document,
    kept_lessons,
    table,
    write,
)

MACHINE = Machine(
    cores=2,
    memory_gib=8.2,
    python="3.11.2",
    mysql="MySQL 8.4.3",
    system="Linux x",
    load_before=0.4,
)
DAY = date(2026, 1, 31)


def test_a_row_says_whether_its_goal_is_met() -> None:
    lines = table([Row("fast", "1 µs", "0.5", True), Row("small", "9 GB", "4", False)]).splitlines()

    assert lines[0] == "| Goal | Measured | Ratio | Met? |"
    assert lines[2:] == ["| fast | 1 µs | 0.5 | yes |", "| small | 9 GB | 4 | no |"]


def test_a_figure_without_goal_is_neither_met_nor_missed() -> None:
    assert table([Row("seen", "3/s")]).splitlines()[2] == "| seen | 3/s | - | - |"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert "a\\|b" in table([Row("a|b", "1")])


def test_the_document_tells_machine_day_rows_and_what_was_left_out() -> None:
    report = Report(left_out=["wrk is missing"])
    report.add("Hop", [Row("fast", "1 µs")])

    text = document(report, MACHINE, DAY, FIRST_LESSONS)

    assert "2026-01-31" in text
    assert "2 cores, 8 GiB of memory" in text
    assert "MySQL 8.4.3" in text
    assert "## Hop" in text
    assert "- wrk is missing" in text


def test_lessons_are_kept_as_they_were_written() -> None:
    lessons = "## Lessons of the profiles\n\nThe pool was too small."
    text = document(Report(), MACHINE, DAY, lessons)

    assert kept_lessons(text) == lessons


def test_a_document_without_marks_begins_with_empty_lessons() -> None:
    assert kept_lessons("# Benchmarks") == FIRST_LESSONS
    assert kept_lessons(f"{KEPT_FROM}\nhalf") == FIRST_LESSONS


def test_writing_again_replaces_the_figures_and_keeps_the_lessons(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    old = Report({"Hop": [Row("fast", "5 µs")]})
    write(path, old, MACHINE, DAY)
    path.write_text(path.read_text().replace("None written yet.", "Measure first."))

    write(path, Report({"Hop": [Row("fast", "1 µs")]}), MACHINE, DAY)

    text = path.read_text()
    assert "Measure first." in text
    assert "| fast | 1 µs |" in text
    assert "5 µs" not in text
    assert text.count(KEPT_FROM) == text.count(KEPT_TO) == 1


def test_missed_goals_are_listed() -> None:
    missed = Row("fast", "1 s", is_met=False)

    assert Report({"Hop": [Row("a", "1"), missed, Row("b", "2", is_met=True)]}).missed() == [missed]


def test_a_machine_with_more_waiting_than_half_its_cores_was_busy() -> None:
    assert not MACHINE.was_busy
    assert replace(MACHINE, load_before=1.1).was_busy

"""A download that fails is tried again, so that nothing hangs on one hiccup of a registry."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from shop.stack import debian, downloads
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY
from shop.stack.progress import Progress

# Fails as long as the file holds fewer lines than it is told, and adds one each time.
FLAKY = 'echo try >> "$0"; test "$(wc -l < "$0")" -ge "$1" || { echo "503 try later"; exit 1; }'


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    return tmp_path / "tries"


def tries(counted: Path) -> int:
    return len(counted.read_text().splitlines())


def flaky(counted: Path, good_from: int) -> tuple[str, ...]:
    return ("sh", "-c", FLAKY, str(counted), str(good_from))


def test_a_download_that_fails_is_tried_again_and_says_so(counted: Path) -> None:
    shown = io.StringIO()
    progress = Progress(Console(file=shown))

    with progress.step("fetching a thing") as step:
        downloads.run(step, flaky(counted, 3), log=counted.with_suffix(".log"))

    assert tries(counted) == 3
    assert "fetching a thing: try 2 failed, again in 0 s" in shown.getvalue()


def test_what_never_comes_is_given_up_with_its_last_reason(counted: Path) -> None:
    refused = pytest.raises(StackError, match=r"fetching a thing failed \(503 try later\)")
    with Progress.silent().step("fetching a thing") as step, refused:
        downloads.run(step, flaky(counted, 99), log=counted.with_suffix(".log"))

    assert tries(counted) == 4


def test_a_later_command_that_fails_begins_with_the_first_again(tmp_path: Path) -> None:
    lists, packages = tmp_path / "lists", tmp_path / "packages"

    with Progress.silent().step("fetching") as step:
        commands = (flaky(lists, 1), flaky(packages, 2))
        downloads.run(step, *commands, log=tmp_path / "log")

    assert (tries(lists), tries(packages)) == (2, 2)


@pytest.mark.parametrize(("good_from", "status", "asked"), [(1, 0, 1), (4, 0, 4), (9, 2, 4)])
def test_the_makefile_tries_its_downloads_again(
    counted: Path, good_from: int, status: int, asked: int
) -> None:
    ours = (REPOSITORY / "Makefile").read_text()
    recipe = re.search(r"^again = .*\n(?:\t.*\n)+", ours, re.MULTILINE)
    assert recipe is not None
    script = counted.with_name("flaky.sh")
    script.write_text(FLAKY.replace("$0", counted.name))
    makefile = counted.with_name("Makefile")
    makefile.write_text(
        f"{recipe[0]}\nSHELL := /bin/sh\nit:\n\t@$(call again,sh {script.name} {good_from})\n"
    )
    quick = counted.with_name("sleep")
    quick.write_text("#!/bin/sh\n")
    quick.chmod(0o755)

    made = subprocess.run(
        ("make", "-C", str(counted.parent), "it"),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{counted.parent}:/usr/bin:/bin"},
    )

    assert (made.returncode, tries(counted)) == (status, asked), made.stderr


@pytest.mark.parametrize(
    ("suites", "archive"),
    [
        (("bookworm", "bookworm-updates"), "http://deb/bookworm"),
        (("stable", "stable-updates"), "http://deb/stable"),
        (("bullseye", "stable", "bookworm"), "http://deb/bookworm"),
        (("bookworm-security",), None),
        ((), None),
    ],
)
def test_the_archive_of_this_release_is_found_however_a_source_names_it(
    monkeypatch: pytest.MonkeyPatch, suites: tuple[str, ...], archive: str | None
) -> None:
    lines = [f"http://deb/{suite}|{suite}|main" for suite in suites]
    lines += [f"http://other/{suite}|{suite}|contrib" for suite in suites]
    monkeypatch.setattr(debian, "_index_targets", lambda: "\n".join(lines))

    assert debian._main_archive("bookworm") == archive

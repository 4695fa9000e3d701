"""The scripts that make a bare machine, as far as they can be tried without making one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BARE, RUN = ROOT / ".ci/bare", ROOT / ".ci/run"
FEW, MANY = 130, 700


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs that come first: root, Debian, many packages."""
    programs = tmp_path / "bin"
    programs.mkdir()
    put(programs, "id", "echo 0")
    put(programs, "apt-get", "true")
    put(programs, "dpkg-query", f"head -c {MANY} /dev/zero")
    return programs


def put(programs: Path, name: str, script: str) -> None:
    path = programs / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(script: Path, machine: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PATH": f"{machine}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(machine.parent / "cache"),
        # These tests run on the bare machine, too, and play one that is none.
        "BARE_MARK": str(machine.parent / "no-mark"),
    }
    return subprocess.run(
        ("bash", str(script), *arguments),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_usual_debian_is_one_to_make_a_bare_machine_on(machine: Path) -> None:
    assert run(BARE, machine, "--could").returncode == 0


@pytest.mark.parametrize(
    ("program", "script", "reason"),
    [
        ("id", "echo 1000", "making a root folder takes root"),
        ("dpkg-query", f"head -c {FEW} /dev/zero", "this machine is bare itself (130 packages)"),
    ],
)
def test_where_none_can_be_made_one_line_says_why(
    machine: Path, program: str, script: str, reason: str
) -> None:
    put(machine, program, script)

    refused = run(BARE, machine, "--try")

    assert (refused.returncode, refused.stderr) == (125, f"bare: {reason}\n")


def test_an_archive_that_apt_does_not_know_is_said_in_one_line(machine: Path) -> None:
    refused = run(BARE, machine, "true")

    assert refused.returncode == 125
    assert refused.stderr == "bare: apt has no source of Debian's main here\n"


@pytest.mark.parametrize(("status", "verdict"), [(0, 0), (2, 2), (1, 1)])
def test_where_no_bare_machine_can_be_made_the_suite_runs_plainly_and_decides(
    machine: Path, tmp_path: Path, status: int, verdict: int
) -> None:
    put(machine, "id", "echo 1000")
    put(machine, "make", f'echo "make $*"; exit {status}')
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", copy / ".ci")

    ended = run(copy / ".ci/run", machine)

    assert ended.returncode == verdict
    assert "bare: making a root folder takes root" in ended.stderr
    assert "ci: no bare machine could be made (see above)" in ended.stdout
    assert ended.stdout.splitlines().count("make test") == 1


@pytest.mark.parametrize(("inside", "verdict", "plainly"), [(0, 0, 0), (1, 1, 0), (125, 0, 1)])
def test_a_failure_on_the_bare_machine_fails_and_one_to_make_it_does_not(
    machine: Path, tmp_path: Path, inside: int, verdict: int, plainly: int
) -> None:
    for name in ("debootstrap", "pasta"):
        put(machine, name, "true")
    put(machine, "make", 'echo "make $*"')
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", copy / ".ci")
    put(copy / ".ci", "bare", f'case $1 in --*) ;; *) echo "bare: $*"; exit {inside} ;; esac')

    ended = run(copy / ".ci/run", machine)

    assert ended.returncode == verdict
    assert "bare: bash .ci/run" in ended.stdout
    assert ended.stdout.splitlines().count("make test") == plainly


def test_what_is_installed_for_it_is_what_is_missing(machine: Path, tmp_path: Path) -> None:
    put(machine, "apt-get", 'echo "apt-get $*" >> "$0.log"')
    put(machine, "make", "true")
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", copy / ".ci")
    put(copy / ".ci", "bare", "true")
    put(machine, "pasta", "true")
    has_debootstrap = shutil.which("debootstrap", path="/usr/bin:/bin") is not None

    run(copy / ".ci/run", machine)

    log = machine / "apt-get.log"
    asked = log.read_text().splitlines()[-1].split() if log.exists() else []
    assert ("debootstrap" in asked) is not has_debootstrap
    assert not {"passt", "make", "python3"} & set(asked)

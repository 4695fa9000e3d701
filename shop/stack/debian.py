"""Unpacks Debian or Ubuntu packages into a folder, without root and without installing them.

Uses the machine's own apt sources, proxy settings and archive keys. The packages come with all
they depend on, the C library too, so their programs run through their own loader whatever the
machine's own libraries are.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shop.stack import downloads
from shop.stack.errors import StackError
from shop.stack.progress import Step

KEYRING = "/usr/share/keyrings/{distribution}-archive-keyring.gpg"
TARGET_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
ALIASES = ("stable", "oldstable", "oldoldstable", "testing")
OWN_SETTINGS = {"OPENSSL_CONF": "/dev/null", "LC_ALL": "C", "TZ": "UTC"}
# Documentation and translations are half of what would be unpacked.
LEFT_OUT = ("./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/perl/*")


@dataclass(frozen=True)
class Release:
    """The distribution this machine runs, and its main archive."""

    distribution: str
    codename: str
    archive: str


@dataclass(frozen=True)
class Tree:
    """Unpacked packages under one folder."""

    root: Path
    machine: str = platform.machine()

    def command(self, program: str) -> tuple[str, ...]:
        """How to run ``usr/sbin/mysqld`` and the like with the tree's own libraries."""
        triplet = f"{self.machine}-linux-gnu"
        folders = [self.root / base / triplet for base in ("usr/lib", "lib")]
        loaders = [path for folder in folders for path in folder.glob("ld-linux-*.so.*")]
        if not loaders:
            raise StackError(f"{self.root} holds no dynamic loader", f"rm -r {self.root}")
        libraries = [f"{folder}{below}" for folder in folders for below in ("", "/private")]
        # Without the cache: what is not in the tree is to be missed, not taken from this machine.
        loader = (str(loaders[0]), "--inhibit-cache", "--library-path", ":".join(libraries))
        return (*loader, str(self.root / program))

    def holds(self, program: str) -> bool:
        return (self.root / program).exists()


def release() -> Release:
    """Read what this machine is; raises StackError without apt or a usable source."""
    system = platform.freedesktop_os_release()
    distribution, codename = system.get("ID", ""), system.get("VERSION_CODENAME", "")
    if shutil.which("apt-get") is None or distribution not in ("debian", "ubuntu"):
        raise StackError("this is not Debian or Ubuntu with apt", "use STACK=docker")
    archive = _main_archive(codename)
    if archive is None:
        raise StackError(
            f"apt has no source for {codename} main", "add one to /etc/apt/sources.list.d"
        )
    return Release(distribution, codename, archive)


def environment_of(command: Sequence[str]) -> Mapping[str, str]:
    """Return what a program is to run in: for an unpacked one, no settings of other versions.

    Compiled into its libraries are this machine's openssl.cnf, locales, converters and time zone.
    """
    is_unpacked = len(command) > 1
    return {**os.environ, **OWN_SETTINGS} if is_unpacked else os.environ


def fetch(root: Path, source: Release, suite: str, packages: list[str], step: Step) -> Tree:
    """Unpack the packages of one suite under ``root``, all or nothing; signatures are checked."""
    draft = root.with_name(f"{root.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _unpack(draft, source, suite, packages, step)
        shutil.rmtree(draft / ".apt")
        shutil.rmtree(root, ignore_errors=True)
        draft.rename(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Tree(root)


def _unpack(root: Path, source: Release, suite: str, packages: list[str], step: Step) -> None:
    apt = root / ".apt"
    options = _apt_options(apt, _sources_line(source, suite))
    log = root.parent / "log" / "fetch.log"
    update = ["apt-get", *options, "-q", "update"]
    download = ["apt-get", *options, "-q", "-y", "--download-only", "install", *packages]
    # Together: what the lists name may be replaced in the archive before it is fetched.
    downloads.run(step, update, download, log=log)
    excludes = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        step.beat(package.name.partition("_")[0])
        _extract(package, root, excludes)


def _extract(package: Path, root: Path, excludes: list[str]) -> None:
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as archive:
        subprocess.run(
            ["tar", "-x", "-C", str(root), "--no-same-owner", *excludes],
            stdin=archive.stdout,
            check=True,
        )
    if archive.returncode != 0:
        raise StackError(f"{package.name} is damaged", "try again")


def _main_archive(codename: str) -> str | None:
    """Return the address of the archive that has this release, whichever way a source names it."""
    targets = [line.split("|") for line in _index_targets().splitlines()]
    archives = {suite: archive for archive, suite, component in targets if component == "main"}
    # One archive keeps all suites, so a source that says `stable` has the release by its name, too.
    return next((archives[name] for name in (codename, *ALIASES) if name in archives), None)


def _index_targets() -> str:
    """Ask apt for its sources; its lists are not needed, nor that it was ever updated."""
    options = ("--no-release-info", "--format", TARGET_FORMAT)
    command = ["apt-get", "indextargets", *options, "Created-By: Packages"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout


def _sources_line(source: Release, suite: str) -> str:
    # What Debian keeps in one component, Ubuntu keeps in two.
    components = "main universe" if source.distribution == "ubuntu" else "main"
    keyring = KEYRING.format(distribution=source.distribution)
    options = f"[signed-by={keyring}] " if Path(keyring).exists() else ""
    return f"deb {options}{source.archive} {suite} {components}\n"


def _apt_options(apt: Path, sources_line: str) -> list[str]:
    """Options that give apt a state, a cache and a source list of their own under ``apt``."""
    for folder in ("state/lists/partial", "cache/archives/partial", "etc/sources", "etc/pins"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "etc/sources.list").write_text(sources_line)
    settings = {
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": apt / "etc/sources.list",
        "Dir::Etc::sourceparts": apt / "etc/sources",
        "Dir::Etc::preferencesparts": apt / "etc/pins",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        # Else an update that could not fetch everything counts as done.
        "APT::Update::Error-Mode": "any",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]

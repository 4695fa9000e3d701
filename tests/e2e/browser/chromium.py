"""Gets a Chromium that runs here: the one named, one installed, else Debian's own, unpacked.

As with MySQL and nginx nothing is installed and nobody is root: the packages lie under `.local/`.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import playwright
from rich.console import Console

from shop.stack import debian
from shop.stack.errors import StackError
from shop.stack.layout import LOCAL
from shop.stack.progress import Progress

VARIABLE: Final = "SHOP_TEST_CHROMIUM"
INSTALLED: Final = ("chromium", "google-chrome-stable", "google-chrome")
# libatomic1: Playwright's driver needs it, and a base system has it not.
PACKAGES: Final = ["chromium-headless-shell", "fonts-liberation", "libatomic1"]
PROGRAM: Final = "usr/lib/chromium/chromium-headless-shell"
# It starts children of itself by the path of its own program, so the loader of the tree cannot be
# put before it: the machine's own runs it, with the machine's own C library, which is of the same
# release. Two C libraries in one process would not fit each other.
_OF_C_LIBRARY: Final = (
    "ld-linux*",
    "libBrokenLocale.so*",
    "libanl.so*",
    "libc.so*",
    "libc_malloc_debug.so*",
    "libdl.so*",
    "libm.so*",
    "libmemusage.so*",
    "libmvec.so*",
    "libnsl.so*",
    "libnss_[cdfh]*.so*",
    "libpcprofile.so*",
    "libpthread.so*",
    "libresolv.so*",
    "librt.so*",
    "libthread_db.so*",
    "libutil.so*",
)
_LIBRARY_FOLDERS: Final = (".", "nss", "pulseaudio")
_FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{root}/font-cache</cachedir></fontconfig>
"""
_SCRIPT: Final = """#!/bin/sh
LD_LIBRARY_PATH='{root}/libraries' FONTCONFIG_FILE='{root}/fonts.conf' exec '{program}' "$@"
"""
_CONTENTS: Final = "packages.txt"
_DRIVER_VARIABLE: Final = "PLAYWRIGHT_NODEJS_PATH"


def find() -> Path:
    """Return the program to start; the unpacked one brings what Playwright's driver lacks, too.

    Raises StackError where there is none and none can be had.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    installed = next(filter(None, map(shutil.which, INSTALLED)), None)
    return Path(installed) if installed else _unpacked(LOCAL / "chromium")


def _unpacked(root: Path) -> Path:
    script, driver = root / "run", root / "driver"
    with _alone(root):
        if not _is_complete(root):
            _fetch(root)
            _link_libraries(debian.Tree(root))
            (root / "fonts.conf").write_text(_FONTS.format(root=root))
            _write_program(script, _SCRIPT.format(root=root, program=root / PROGRAM))
            (root / _CONTENTS).write_text(" ".join(PACKAGES))
        _write_program(driver, _SCRIPT.format(root=root, program=_usual_driver()))
    os.environ.setdefault(_DRIVER_VARIABLE, str(driver))
    return script


def _is_complete(root: Path) -> bool:
    """Whether all of it is there, and of the packages that are wanted now; this is written last."""
    contents = root / _CONTENTS
    return contents.exists() and contents.read_text() == " ".join(PACKAGES)


def _usual_driver() -> Path:
    return Path(playwright.__file__).parent / "driver" / "node"


def _fetch(root: Path) -> None:
    progress = Progress(Console())
    try:
        source = debian.release()
        label = f"Chromium from {source.distribution.title()} {source.codename}"
        with progress.step(f"fetching {label}") as step:
            debian.fetch(root, source, source.codename, PACKAGES, step)
            progress.done(f"fetched {label}", step.elapsed_s)
    except StackError as error:
        raise StackError(
            f"the pages are tried in Chromium, and there is none ({error.cause})",
            f"install Chromium, or set {VARIABLE} to the path of one",
        ) from error


def _link_libraries(tree: debian.Tree) -> None:
    """Gather what the program loads in one folder, the C library left out."""
    libraries = tree.root / "libraries"
    libraries.mkdir()
    for base in ("usr/lib", "lib"):
        for below in _LIBRARY_FOLDERS:
            folder = tree.root / base / f"{tree.machine}-linux-gnu" / below
            for library in folder.glob("*.so*"):
                link = libraries / library.name
                if not link.is_symlink() and not any(map(library.match, _OF_C_LIBRARY)):
                    link.symlink_to(library)


def _write_program(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(draft.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    draft.rename(path)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two test processes that start at once fetch it once."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(f"{root.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

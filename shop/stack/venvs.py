"""Python environments of their own for programs whose pins clash with ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from shop.stack import downloads
from shop.stack.progress import Step, run_logged

# On all cores, where pip takes one, and without the half that LocalStack installs but never loads.
COMPILE = """
import compileall, re, sysconfig
unused = re.compile("/(awscli|sympy|cfnlint|networkx|amazon_kclpy|mpmath|jpype|pip|setuptools)/")
compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, rx=unused, workers=0)
"""


def create(folder: Path, pip_arguments: list[str], step: Step) -> None:
    """Make the environment with these packages, all or nothing.

    A virtual environment cannot be moved, so a half-made one is known by its missing marker.
    """
    if is_complete(folder):
        return
    log = folder.parent / "log" / f"{folder.name}.log"
    shutil.rmtree(folder, ignore_errors=True)
    run_logged(step, [sys.executable, "-m", "venv", str(folder)], log)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    pip = [python(folder), "-m", "pip", "install", *quiet, "--no-compile", *pip_arguments]
    downloads.run(step, pip, log=log, env=_clean_environment())
    run_logged(step, [python(folder), "-c", COMPILE], log)
    _marker(folder).touch()


def is_complete(folder: Path) -> bool:
    """Whether it was made whole and still starts; its interpreter may have been upgraded away."""
    if not _marker(folder).exists():
        return False
    try:
        return subprocess.run([python(folder), "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def python(folder: Path) -> str:
    return str(folder / "bin" / "python")


def _marker(folder: Path) -> Path:
    return folder / ".complete"


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

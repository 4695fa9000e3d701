"""The README's curl examples, run as they are written against a stack with the usual ports."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from shop.stack import debian
from shop.stack.native import NativeStack
from shop.stack.progress import Progress

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"<!-- test: curl -->\n```bash\n(.*?)```", re.DOTALL)
USUAL_PORTS = {
    "8080": "gateway",
    "8081": "user",
    "8082": "catalog",
    "8083": "order",
    "8084": "notification",
    "4566": "localstack",
}


def script_for(stack: NativeStack) -> str:
    """Return all blocks as one script, the usual ports replaced by this stack's."""
    script = "\n".join(BLOCK.findall(README.read_text(encoding="utf-8")))
    for port, name in USUAL_PORTS.items():
        script = script.replace(f"localhost:{port}", f"127.0.0.1:{stack.layout.ports.of(name)}")
    return script


@pytest.fixture
def curl(stack: NativeStack) -> tuple[str, ...]:
    """The machine's own curl, else Debian's, unpacked beside the other fetched programs."""
    found = shutil.which("curl")
    if found is not None:
        return (found,)
    folder = stack.layout.downloads / "curl"
    if not debian.Tree(folder).holds("usr/bin/curl"):
        source = debian.release()
        with Progress.silent().step("fetching curl, which the README's examples call") as step:
            debian.fetch(folder, source, source.codename, ["curl"], step)
    return debian.Tree(folder).command("usr/bin/curl")


def test_the_readmes_examples_work_as_written(stack: NativeStack, curl: tuple[str, ...]) -> None:
    script = script_for(stack)
    assert script.count("curl") >= 8
    # Any answer of 400 or above fails the script, which a bare curl would let pass.
    called = shlex.join((*curl, "--fail-with-body"))
    guarded = f'set -euo pipefail\ncurl() {{ {called} "$@"; }}\n{script}'

    run = subprocess.run(
        ["bash", "-c", guarded], capture_output=True, text=True, timeout=120, check=False
    )

    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert "ORD-" in run.stdout


def test_the_readme_shows_the_briefs_register_call() -> None:
    text = README.read_text(encoding="utf-8")

    assert "http://localhost:8081/api/users" in text
    assert "password123" in text

"""Reading the edge's Dockerfile, and refusing to follow it on a machine that is to be kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bare import edge_image
from tests.bare.dockerfile import Instruction, UnknownInstructionError, instructions
from tests.bare.edge_image import CONTEXT, Image

TEXT = """
# a comment
FROM debian:12-slim

RUN one && \\
    # between the lines
    two
ENV A="" B=/x \\
    C='a b'
CMD ["sh", "-c", "x y"]
"""


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    image, run, settings, command = instructions(TEXT)

    assert (image.keyword, image.rest) == ("FROM", "debian:12-slim")
    assert (run.keyword, run.rest) == ("RUN", "one && two")
    assert settings.settings == {"A": "", "B": "/x", "C": "a b"}
    assert command.words == ["sh", "-c", "x y"]


def test_every_instruction_of_the_edges_image_can_be_followed() -> None:
    image = Image()
    told = list(instructions((CONTEXT / "Dockerfile").read_text()))

    for one in told:
        if one.keyword not in ("RUN", "COPY"):
            image.follow(one)

    assert {one.keyword for one in told} >= {"FROM", "RUN", "COPY", "ENV", "USER", "CMD"}
    assert image.user == "10001:10001"
    assert image.command == ["sh", "/etc/edge/start.sh"]
    assert image.environment["EDGE_RUN"] == "/tmp/edge"  # noqa: S108  # of the image


def test_an_instruction_that_it_does_not_know_is_not_passed_over() -> None:
    with pytest.raises(UnknownInstructionError, match="ADD"):
        Image().follow(Instruction("ADD", "x /y"))


def test_a_machine_that_is_to_be_kept_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_image, "MARK", Path("/no/such/mark"))

    with pytest.raises(SystemExit, match="this changes the machine it runs on"):
        edge_image.main()


def test_it_needs_nothing_but_python() -> None:
    """A bare machine has no package of ours, nor those of others."""
    program = "import sys; sys.path.insert(0, '.'); import tests.bare.edge_image"
    imported = subprocess.run(
        (sys.executable, "-I", "-S", "-c", program), cwd=edge_image.REPOSITORY, check=False
    )

    assert imported.returncode == 0

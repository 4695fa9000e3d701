"""Reads a Dockerfile of the classic kind: one stage, RUN in a shell, COPY of files beside it.

Standard library only: this runs where nothing is installed yet.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass


class UnknownInstructionError(Exception):
    """The Dockerfile holds what cannot be followed here; to be taught, not to be passed over."""


@dataclass(frozen=True)
class Instruction:
    keyword: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Its words, of a JSON list or as a shell splits them."""
        if self.rest.startswith("["):
            listed: list[str] = json.loads(self.rest)
            return listed
        return shlex.split(self.rest)

    @property
    def settings(self) -> dict[str, str]:
        """What ENV sets, in the form NAME=VALUE."""
        return dict(word.split("=", 1) for word in self.words)


def instructions(text: str) -> Iterator[Instruction]:
    """Return the instructions in their order, comments left out and lines joined."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = "\n".join(lines).replace("\\\n", " ")
    for line in joined.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword:
            yield Instruction(keyword.upper(), " ".join(rest.split()))

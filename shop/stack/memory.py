"""What was brought up last, so that later commands speak to it without being told again."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

from shop.stack.ports import Ports

FILE = "stack.json"


class Kind(StrEnum):
    NATIVE = "native"
    DOCKER = "docker"


def remember(home: Path, kind: Kind, ports: Ports, *, with_edge: bool = False) -> None:
    home.mkdir(parents=True, exist_ok=True)
    known = {"kind": kind, "ports": asdict(ports), "with_edge": with_edge}
    (home / FILE).write_text(json.dumps(known))


def forget(home: Path) -> None:
    (home / FILE).unlink(missing_ok=True)


def recall_kind(home: Path) -> Kind | None:
    """Return the kind of stack that was brought up and not taken down since."""
    try:
        return Kind(_read(home)["kind"])
    except (OSError, ValueError, KeyError):
        return None


def recall_ports(home: Path) -> Ports | None:
    """Return the ports of the stack that was brought up and not taken down since."""
    try:
        return Ports(**_read(home)["ports"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recall_edge(home: Path) -> bool:
    """Whether the stack that is up was brought up with the edge."""
    try:
        return _read(home).get("with_edge") is True
    except (OSError, ValueError, AttributeError):
        return False


def _read(home: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((home / FILE).read_text())
    return content

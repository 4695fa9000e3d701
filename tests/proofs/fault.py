"""A fault: how an item of the mission is broken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`old`, which stands once in the file, becomes `new`, and these items are broken by it."""

    items: tuple[int, ...]
    path: str
    old: str
    new: str

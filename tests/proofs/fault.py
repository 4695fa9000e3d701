"""A fault: how an item of the mission is broken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`old`, which stands once in the file, becomes `new`, and these items are broken by it."""

    items: tuple[int, ...]
    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}: {self.new!r}"


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """What is done to a service's migrated database by one statement, and what undoes it."""

    items: tuple[int, ...]
    service: str
    breaking: str
    mending: str

    def __str__(self) -> str:
        return f"{self.service}: {self.breaking}"


AnyFault = Fault | SchemaFault

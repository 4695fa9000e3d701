"""What a row of every matrix of rights holds, and how its answers are judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import httpx2

from tests.rights.answers import BLIND, SEES, Answer, Refused, flaws_of_refusal


class Things(Protocol):
    """The things that a row is about."""

    @property
    def named(self) -> Mapping[str, Any]:
        """Their ids, and what else paths, queries and answers hold of them."""

    def traces(self) -> set[str]:
        """Return what a refusal must not show."""


ActorType = TypeVar("ActorType", bound=StrEnum)
WorldType = TypeVar("WorldType", bound=Things)


@dataclass(frozen=True)
class RouteRow(Generic[ActorType, WorldType]):
    """A route of a service and who may call it; each matrix adds how its requests are sent.

    `spec` is api.md's role column, `note` says why an answer is another than that column alone
    gives. `shows` is what an answer that SEES holds. `names` maps the path's parameters to ids of
    the world where they are called otherwise; `unknown` are statuses for parameters that may name
    nothing. One that `is_harmless` changes nothing that others would see.
    """

    service: str
    method: str
    path: str
    spec: str
    answers: Mapping[ActorType, Answer]
    success: int = 200
    body: Callable[[WorldType], Any] | None = None
    query: str = ""
    shows: str = "{secret}"
    names: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    is_harmless: bool = False
    # For whoever reads the table.
    note: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}{self.query}"

    @property
    def is_safe(self) -> bool:
        return self.method == "GET" or self.is_harmless

    def ids(self, world: WorldType) -> dict[str, Any]:
        """Return what the world has, under the names of the path and the query."""
        named = world.named
        return {**named, **{name: named[other] for name, other in self.names.items()}}

    def target(self, world: WorldType, **changed: Any) -> str:
        """Return path and query of a good request; `changed` replaces ids."""
        return (self.path + self.query).format(**{**self.ids(world), **changed})

    def flaws(self, world: WorldType, wanted: Answer, answer: httpx2.Response) -> list[str]:
        """Return what is wrong with an answer about this world."""
        if isinstance(wanted, Refused):
            return flaws_of_refusal(world.traces(), wanted, answer)
        is_success = answer.status_code == self.success
        found = [] if is_success else [f"{answer.status_code} {answer.text}"]
        holds = self.shows.format(**self.ids(world)) in answer.text
        if (wanted is SEES and not holds) or (wanted is BLIND and holds):
            found.append(f"{wanted}, but {answer.text[:200]}")
        return found

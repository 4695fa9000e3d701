"""A row of the table, and how its requests are sent."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from tests.e2e.rights.callers import Actor, Answers
from tests.e2e.rights.world import Stage, World, account
from tests.rights.answers import Granted

Build = Callable[[Stage], Awaitable[World]]


@dataclass(frozen=True)
class Row:
    """A route and who may call it.

    `spec` is api.md's role column, `note` says why an answer is another than that column alone
    gives. `shows` is what an answer that SEES holds. `unknown` are statuses for parameters that
    may name nothing. One that `is_harmless` changes nothing that others would see. Bodies that
    are not `is_strict` are of other makers, such as a payment provider.
    """

    service: str
    method: str
    path: str
    spec: str
    answers: Answers
    success: int = 200
    body: Callable[[World], Any] | None = None
    query: str = ""
    shows: str = "{secret}"
    build: Build = account
    is_keyed: bool = False
    unknown: Mapping[str, int] = field(default_factory=dict)
    is_harmless: bool = False
    is_strict: bool = True
    # For whoever reads the table.
    note: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}{self.query}"

    @property
    def is_internal(self) -> bool:
        return self.path.startswith("/internal")

    @property
    def is_safe(self) -> bool:
        return self.method == "GET" or self.is_harmless

    @property
    def parameters(self) -> list[str]:
        """The ids in its path."""
        return re.findall(r"{(\w+_id)}", self.path)

    @property
    def granted(self) -> list[Actor]:
        return [actor for actor in Actor if isinstance(self.answers[actor], Granted)]

    def url(self, base: str, world: World, **changed: Any) -> str:
        return base + (self.path + self.query).format(**{**world.ids, **world.given, **changed})

    async def send(
        self,
        stage: Stage,
        world: World,
        headers: Mapping[str, str],
        *,
        door: str | None = None,
        **changed: Any,
    ) -> httpx2.Response:
        """Send a good request to a door; `changed` replaces ids of the path, or the `body`."""
        body = changed.pop("body", self.body(world) if self.body else None)
        url = self.url(stage.stack.layout.url(door or self.service), world, **changed)
        sent = dict(headers) | ({"Idempotency-Key": uuid4().hex} if self.is_keyed else {})
        return await stage.http.request(self.method, url, headers=sent, json=body)

"""A row of the table, and how its requests are sent."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from tests.e2e.rights.callers import Actor
from tests.e2e.rights.world import Stage, World, account
from tests.rights.answers import Granted
from tests.rights.rows import RouteRow

Build = Callable[[Stage], Awaitable[World]]


@dataclass(frozen=True)
class Row(RouteRow[Actor, World]):
    """A route and who may call it.

    Bodies that are not `is_strict` are of other makers, such as a payment provider.
    """

    build: Build = account
    is_keyed: bool = False
    is_strict: bool = True

    @property
    def is_internal(self) -> bool:
        return self.path.startswith("/internal")

    @property
    def parameters(self) -> list[str]:
        """The ids in its path."""
        return re.findall(r"{(\w+_id)}", self.path)

    @property
    def granted(self) -> list[Actor]:
        return [actor for actor in Actor if isinstance(self.answers[actor], Granted)]

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
        url = stage.stack.layout.url(door or self.service) + self.target(world, **changed)
        sent = dict(headers) | ({"Idempotency-Key": uuid4().hex} if self.is_keyed else {})
        return await stage.http.request(self.method, url, headers=sent, json=body)

"""What the other services hold about one person."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient

# Which service is asked for which part of an export.
PARTS: Final[Mapping[str, str]] = {
    "orders": "order-service",
    "cart": "order-service",
    "reviews": "catalog-service",
    "wishlist": "catalog-service",
    "stores": "catalog-service",
    "notifications": "notification-service",
}


class ExportIncomplete(Unavailable):
    code = "export_incomplete"
    title = "A part of the shop that holds some of the data does not answer"


@dataclass(frozen=True, slots=True)
class HeldData:
    """Asks the services by name; each answers in pages."""

    services: Mapping[str, HttpClient]

    async def part(self, name: str, user_id: UUID) -> list[dict[str, Any]]:
        """Return one part in full. Raises ExportIncomplete: half a part is never returned."""
        try:
            return [item async for item in self._items(name, user_id)]
        except Unavailable as error:
            raise ExportIncomplete(retry_after_s=1) from error

    async def close(self) -> None:
        for http in self.services.values():
            await http.close()

    async def _items(self, name: str, user_id: UUID) -> AsyncIterator[dict[str, Any]]:
        path = f"/internal/users/{user_id}/held/{name}"
        after: str | None = None
        while True:
            page = await self._page(name, path if after is None else f"{path}?after={after}")
            for item in page["items"]:
                yield item
            after = page["nextAfter"]
            if after is None:
                return

    async def _page(self, name: str, path: str) -> dict[str, Any]:
        answer = await self.services[PARTS[name]].request("GET", path, is_idempotent=True)
        if answer.status != HTTPStatus.OK:
            raise ExportIncomplete(f"the {name} answered {answer.status}", retry_after_s=1)
        page: dict[str, Any] = answer.json()
        return page

"""What tests ask of the shelf."""

from typing import Any
from uuid import UUID

from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog

UNKNOWN = "01900000-0000-7000-8000-000000000000"
RESERVE = "/internal/inventory/reserve"
RELEASE = "/internal/inventory/release"


def wanted(variant: UUID, quantity: Any = 1, **changes: Any) -> dict[str, Any]:
    return {
        "reservationId": str(new_id()),
        "orderId": str(new_id()),
        "fingerprint": "a" * 64,
        "userId": str(new_id()),
        "idempotencyKey": "key",
        "items": [{"variantId": str(variant), "quantity": quantity}],
    } | changes


async def adjusted(catalog: Catalog, variant: UUID, delta: int, **given: Any) -> Any:
    headers = catalog.bearer(Role.ADMIN) | given.pop("headers", {})
    body = {"delta": delta, "reason": "count"} | given
    path = f"/api/inventory/{variant}/adjust"
    return await catalog.client.post(path, json=body, headers=headers)

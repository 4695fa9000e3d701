"""Who writes reviews and who decides on them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa

from catalog_service.models import Purchase
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog

PUBLIC = {"id", "productId", "isVerifiedPurchase", "rating", "title", "body", "createdAt"}


@dataclass(frozen=True)
class Buyer:
    """Somebody with a token, and perhaps with a purchase."""

    catalog: Catalog
    headers: dict[str, str]
    user_id: UUID

    async def write(self, product: UUID, rating: Any = 5, **changes: Any) -> httpx2.Response:
        body = {"rating": rating, "title": "Good", "body": "Boils water."} | changes
        path = f"/api/products/{product}/reviews"
        return await self.catalog.client.post(path, json=body, headers=self.headers)

    async def send(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self.catalog.client.request(method, path, json=body, headers=self.headers)


def somebody(catalog: Catalog, role: Role = Role.CUSTOMER, user_id: UUID | None = None) -> Buyer:
    known = user_id or new_id()
    return Buyer(catalog, catalog.bearer(role, known), known)


async def buyer_of(catalog: Catalog, product: UUID, role: Role = Role.CUSTOMER) -> Buyer:
    buyer = somebody(catalog, role)
    await catalog.save(
        Purchase(user_id=buyer.user_id, product_id=product, order_id=new_id(), quantity=1)
    )
    return buyer


async def new_product(catalog: Catalog, **given: Any) -> UUID:
    return await catalog.product_of(await catalog.variant(5, **given))


async def written(catalog: Catalog, product: UUID, rating: int = 5, **changes: Any) -> str:
    """Let a new buyer review the product; return the review's id."""
    answer = await (await buyer_of(catalog, product)).write(product, rating, **changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def decide(
    catalog: Catalog, review: str, status: str = "APPROVED", **body: Any
) -> httpx2.Response:
    path = f"/api/reviews/{review}/status"
    return await somebody(catalog, Role.ADMIN).send("PATCH", path, {"status": status} | body)


async def listed(catalog: Catalog, product: UUID, query: str = "", **headers: str) -> Any:
    answer = await catalog.client.get(f"/api/products/{product}/reviews{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def rating(catalog: Catalog, product: UUID) -> tuple[Decimal, int, int]:
    """Return the product's average, count and version as they stand in the database."""
    query = sa.text("SELECT avg_rating, review_count, version FROM products WHERE id = :id")
    row = (await catalog.rows(query, id=product.bytes))[0]
    return row[0], int(row[1]), int(row[2])

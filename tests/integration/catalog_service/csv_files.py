"""Product files, handed in and carried out."""

import asyncio
import csv
import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import sqlalchemy as sa

from catalog_service.services.imports.worker import Importer
from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog

COLUMNS = (
    "handle",
    "product_name",
    "description",
    "category",
    "status",
    "sku",
    "variant_name",
    "price",
    "compare_at_price",
    "quantity",
)


def new_sku() -> str:
    return f"CSV-{uuid4().hex}"


def row(**changes: Any) -> dict[str, Any]:
    """Return a good row; without changes it is a product of its own."""
    sku = new_sku()
    usual = {
        "handle": sku.lower(),
        "product_name": "Kurta",
        "description": "Cotton",
        "category": "",
        "status": "ACTIVE",
        "sku": sku,
        "variant_name": "M",
        "price": "1499.00",
        "compare_at_price": "",
        "quantity": "10",
    }
    return usual | changes


def written(*rows: dict[str, Any]) -> bytes:
    """Write a file; columns that a row adds to the usual ones come last."""
    columns = list(dict.fromkeys([*COLUMNS, *(name for each in rows for name in each)]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


@dataclass(frozen=True)
class Shop:
    """A seller with a category, who sends files."""

    catalog: Catalog
    seller_id: UUID
    headers: dict[str, str]
    category: str

    @classmethod
    async def open(cls, catalog: Catalog) -> "Shop":
        seller_id, user_id = await catalog.seller()
        category_id = await catalog.category()
        return cls(catalog, seller_id, catalog.bearer(Role.SELLER, user_id), category_id.hex)

    def row(self, **changes: Any) -> dict[str, Any]:
        return row(**({"category": self.category} | changes))

    async def send(self, body: bytes, path: str = "", **headers: str) -> httpx2.Response:
        usual = self.headers | {"content-type": "text/csv"}
        return await self.catalog.client.post(
            f"/api/products/import{path}", content=body, headers=usual | headers
        )

    async def carried_out(self, *rows: dict[str, Any]) -> dict[str, Any]:
        """Send rows, let a worker carry them out and return the report."""
        return await self.carried_out_file(written(*rows))

    async def carried_out_file(self, body: bytes) -> dict[str, Any]:
        answer = await self.send(body)
        assert answer.status_code == 202, answer.text
        await work_off(self.catalog)
        return await self.report(answer.json()["id"])

    async def report(self, import_id: str, **query: Any) -> dict[str, Any]:
        answer = await self.catalog.client.get(
            f"/api/imports/{import_id}", params=query, headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def exported(self, **query: Any) -> bytes:
        answer = await self.catalog.client.get(
            "/api/products/export", params=query, headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        return answer.content

    async def products(self) -> list[Any]:
        """Return (id, name, status, version, lowest price, number of variants) of each."""
        query = sa.text(
            "SELECT p.id, p.name, p.status, p.version, p.min_price_minor, COUNT(v.id) AS variants"
            " FROM products p LEFT JOIN product_variants v ON v.product_id = p.id"
            " WHERE p.seller_id = :seller GROUP BY p.id ORDER BY p.id"
        )
        return await self.catalog.rows(query, seller=self.seller_id.bytes)

    async def variant_id(self, sku: str) -> UUID:
        query = sa.text("SELECT id FROM product_variants WHERE sku = :sku")
        return UUID(bytes=(await self.catalog.rows(query, sku=sku))[0][0])


def importer(catalog: Catalog, **changes: Any) -> Importer:
    return Importer(
        catalog.database, catalog.deps.announcements, catalog.settings.currency, **changes
    )


async def work_off(catalog: Catalog, **changes: Any) -> None:
    """Carry out whatever waits."""
    worker, never = importer(catalog, **changes), asyncio.Event()
    while (job := await worker.take()) is not None:
        await worker.work(job, never)


def problems(report: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Return line, column and code of each error of a report."""
    return [(e["line"], e["column"], e["code"]) for e in report["errors"]]


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return how many rows were created, updated, left unchanged and refused."""
    names = ("createdRows", "updatedRows", "unchangedRows", "failedRows")
    return tuple(report[name] for name in names)

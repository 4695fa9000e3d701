"""A catalog whose search runs on either backend, and what tests do with it."""

import importlib.util
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from catalog_service.clients.elasticsearch import ElasticsearchClient
from catalog_service.models import Category, Inventory, ProductVariant, SearchTarget
from catalog_service.queries import search_index, search_rebuilds
from catalog_service.services.indexing import ElasticIndexer, MySqlIndexer
from catalog_service.services.search_rebuilds import Rebuilder
from common_lib.http_client import HttpClient
from common_lib.ids import new_id
from shop.stack.ports import free_ports
from tests.integration.catalog_service.conftest import Catalog

PACKAGE = importlib.util.find_spec("osmem_server")
BINARY = Path(PACKAGE.origin or "" if PACKAGE else "").parent / "bin" / "osmem-server"
START_S = 10.0


class StandIn:
    """`osmem-server`, which speaks Elasticsearch's HTTP API and keeps everything in memory.

    It stands in for Elasticsearch: what passes here was not run on Elasticsearch itself.
    """

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [str(BINARY), "-addr", f"127.0.0.1:{self.port}", "-no-ja", "-no-stdin-watch"]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline, "the stand-in did not start"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=1):  # noqa: S310 - our own loopback
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True)
class Offer:
    """A variant: its price in minor units, the units on the shelf, its attributes."""

    price: int
    stock: int
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class SearchShop:
    """A catalog with its indexers in hand: a test says when the index catches up."""

    catalog: Catalog
    elastic: ElasticsearchClient | None = None

    async def put(self, name: str, **given: Any) -> UUID:
        """Put a product on the shelf and into the index; return its id."""
        product_id = await self.unindexed(name, **given)
        await self.index(product_id)
        return product_id

    async def put_of(self, name: str, *variants: "Offer", **given: Any) -> UUID:
        """Put a product of several variants on the shelf and into the index; return its id."""
        first = variants[0]
        product_id = await self.unindexed(
            name,
            price_minor=first.price,
            quantity=first.stock,
            attributes=dict(first.attributes),
            **given,
        )
        for position, offer in enumerate(variants[1:], start=1):
            variant_id = new_id()
            row = ProductVariant(
                id=variant_id,
                product_id=product_id,
                sku=variant_id.hex,
                name=f"Variant {position}",
                price_minor=offer.price,
                attributes=dict(offer.attributes),
                position=position,
            )
            stock = Inventory(variant_id=variant_id, quantity=offer.stock, reorder_level=0)
            await self.catalog.save(row, stock)
        lowest = min(offer.price for offer in variants)
        await self._set("products", "min_price_minor", lowest, product_id)
        await self.index(product_id)
        return product_id

    async def unindexed(self, name: str, **given: Any) -> UUID:
        variant_id = await self.catalog.variant(given.pop("quantity", 5), name=name, **given)
        return await self.catalog.product_of(variant_id)

    async def add_inactive_variant(self, product_id: UUID) -> UUID:
        variant_id = new_id()
        row = ProductVariant(
            id=variant_id,
            product_id=product_id,
            sku=variant_id.hex,
            name="Withdrawn",
            price_minor=100,
            attributes={},
            is_active=False,
        )
        await self.catalog.save(row, Inventory(variant_id=variant_id, quantity=1, reorder_level=0))
        return variant_id

    async def category(self, name: str, parent_id: UUID | None = None) -> UUID:
        category_id = new_id()
        row = Category(id=category_id, parent_id=parent_id, name=name, slug=category_id.hex)
        await self.catalog.save(row)
        self.catalog.deps.searcher.forget_categories()
        return category_id

    async def sold(self, product_id: UUID, units: int) -> None:
        await self._set("products", "total_sold", units, product_id)
        await self.index(product_id)

    async def rated(self, product_id: UUID, rating: str) -> None:
        await self._set("products", "avg_rating", rating, product_id)
        await self.index(product_id)

    async def sell_out(self, product_id: UUID, *, price: int) -> None:
        """Empty the shelf of the variant of this price behind the index's back."""
        statement = sa.text(
            "UPDATE inventory SET quantity = reserved WHERE variant_id ="
            " (SELECT id FROM product_variants WHERE product_id = :id AND price_minor = :price)"
        )
        await self.catalog.database.transact(
            lambda session: session.execute(statement, {"id": product_id.bytes, "price": price})
        )

    async def archive(self, product_id: UUID) -> None:
        """Archive the product behind the index's back."""
        await self._set("products", "status", "ARCHIVED", product_id)

    async def set_sku(self, variant_id: UUID, sku: str) -> None:
        await self._set("product_variants", "sku", sku, variant_id)

    async def _set(self, table: str, column: str, value: object, row_id: UUID) -> None:
        statement = sa.text(f"UPDATE {table} SET {column} = :value WHERE id = :id")  # noqa: S608
        await self.catalog.database.transact(
            lambda session: session.execute(statement, {"value": value, "id": row_id.bytes})
        )

    async def index(self, *product_ids: UUID) -> None:
        """Mark the products and let the indexers catch up."""
        await self.catalog.database.transact(
            lambda session: search_index.mark_products(session, product_ids)
        )
        await self.catch_up()

    async def catch_up(self) -> None:
        database = self.catalog.database
        while await MySqlIndexer(database, hands_on=self.elastic is not None).drain():
            pass
        if self.elastic is not None:
            while await ElasticIndexer(database, self.elastic).drain():
                pass

    async def make_index(self) -> None:
        """Make Elasticsearch's index where there is none yet."""
        await self.rebuild(SearchTarget.ELASTICSEARCH)

    async def rebuild(self, target: SearchTarget) -> None:
        """Ask for a rebuild and carry it out."""
        await self.ask_for_rebuild(target)
        await self.finish_rebuilds()

    async def ask_for_rebuild(self, target: SearchTarget) -> None:
        await self.catalog.database.transact(
            lambda session: search_rebuilds.request(session, target, unless_open=False)
        )

    async def finish_rebuilds(self) -> None:
        rebuilder = Rebuilder(self.catalog.database, self.elastic)
        while await rebuilder.step():
            pass

    async def make_due_now(self) -> None:
        """Let what was put off after a failure be tried at once."""
        statement = sa.text("UPDATE search_updates SET due_at = UTC_TIMESTAMP(6)")
        await self.catalog.database.transact(lambda session: session.execute(statement))

    async def search(self, q: str, **parameters: Any) -> dict[str, Any]:
        found = await self.catalog.client.get("/api/products/search", params={"q": q, **parameters})
        assert found.status_code == 200, found.text
        page: dict[str, Any] = found.json()
        return page

    async def names(self, q: str, **parameters: Any) -> list[str]:
        return [item["name"] for item in (await self.search(q, **parameters))["items"]]

    async def listed(self, **parameters: Any) -> list[str]:
        found = await self.catalog.client.get("/api/products", params=parameters)
        assert found.status_code == 200, found.text
        return [item["name"] for item in found.json()["items"]]

    async def suggest(self, q: str) -> list[str]:
        found = await self.catalog.client.get("/api/products/suggest", params={"q": q})
        assert found.status_code == 200, found.text
        return [item["text"] for item in found.json()["items"]]


def client_of(url: str) -> ElasticsearchClient:
    return ElasticsearchClient(HttpClient("elasticsearch", [url], timeout_s=2))


def word() -> str:
    """Return a word that no other test's product holds; letters alone, so that it is known."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in new_id().hex[-14:])

"""The catalog's app in this process, on real MySQL and Redis, in a database of its own.

Its own, because the running stack's worker would otherwise sweep and relay what a test looks at.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from catalog_service.api.deps import Deps
from catalog_service.main import build_app
from catalog_service.models import (
    Category,
    Inventory,
    Product,
    ProductStatus,
    ProductVariant,
    Seller,
    SellerStatus,
    StockMovement,
)
from catalog_service.models.inventory import MovementKind
from catalog_service.models.reservations import ReserveCommand, merged_lines
from catalog_service.settings import Settings
from common_lib.auth import Role, ServiceTokens, SigningKey, StaticKeys, TokenSigner
from common_lib.database import Database, WriteSession
from common_lib.ids import new_id
from shop.stack.native import NativeStack
from tests.databases import migrated, settings_on


def new_key() -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass(frozen=True)
class Shelf:
    """What stands in the database about one variant."""

    quantity: int
    reserved: int
    ledger_quantity: int
    ledger_reserved: int
    held: int

    @property
    def available(self) -> int:
        return self.quantity - self.reserved

    @property
    def adds_up(self) -> bool:
        return (self.quantity, self.reserved, self.reserved) == (
            self.ledger_quantity,
            self.ledger_reserved,
            self.held,
        )


@dataclass(frozen=True)
class Catalog:
    """A running app, its database, and what a test puts into it."""

    settings: Settings
    database: Database
    deps: Deps
    client: httpx2.AsyncClient
    signer: TokenSigner

    def bearer(self, role: Role, user_id: UUID | None = None) -> dict[str, str]:
        token = self.signer.access(user_id or new_id(), role, str(new_id()))
        return {"Authorization": f"Bearer {token}"}

    def service(self) -> dict[str, str]:
        key = SigningKey.from_file(self.settings.service_token_key_file)
        token = ServiceTokens(key, "order-service").issue("catalog-service")
        return {"Authorization": f"Bearer {token}"}

    async def save(self, *rows: Any) -> None:
        async def work(session: WriteSession) -> None:
            for row in rows:
                session.add(row)
                await session.flush()

        await self.database.transact(work)

    async def category(self, parent_id: UUID | None = None) -> UUID:
        category_id = new_id()
        name = f"Category {category_id.hex[-8:]}"
        await self.save(
            Category(id=category_id, parent_id=parent_id, name=name, slug=category_id.hex)
        )
        return category_id

    async def seller(self, status: SellerStatus = SellerStatus.ACTIVE) -> tuple[UUID, UUID]:
        """Return the ids of a store and of the user it belongs to."""
        seller_id, user_id = new_id(), new_id()
        await self.save(
            Seller(
                id=seller_id,
                user_id=user_id,
                store_name="Store",
                slug=seller_id.hex,
                status=status,
            )
        )
        return seller_id, user_id

    async def variant(
        self,
        quantity: int,
        *,
        reorder_level: int = 0,
        status: ProductStatus = ProductStatus.ACTIVE,
        seller_id: UUID | None = None,
        category_id: UUID | None = None,
        name: str = "Kurta",
        description: str = "Cotton",
        price_minor: int = 149_900,
        attributes: dict[str, str] | None = None,
    ) -> UUID:
        """Put a product with one variant on the shelf; return the variant's id."""
        product_id, variant_id = new_id(), new_id()
        await self.save(
            Product(
                id=product_id,
                seller_id=seller_id,
                category_id=category_id or await self.category(),
                name=name,
                slug=product_id.hex,
                description=description,
                status=status,
                min_price_minor=price_minor,
            ),
            ProductVariant(
                id=variant_id,
                product_id=product_id,
                sku=variant_id.hex,
                name="M",
                price_minor=price_minor,
                attributes=attributes or {},
            ),
            Inventory(variant_id=variant_id, quantity=quantity, reorder_level=reorder_level),
            StockMovement(
                id=new_id(),
                variant_id=variant_id,
                kind=MovementKind.INITIAL,
                quantity_delta=quantity,
            ),
        )
        return variant_id

    async def product_of(self, variant_id: UUID) -> UUID:
        async with self.database.read() as session:
            found = await session.get(ProductVariant, variant_id)
        assert found is not None
        return found.product_id

    async def shelf(self, variant_id: UUID) -> Shelf:
        query = sa.text(
            "SELECT i.quantity, i.reserved,"
            " (SELECT COALESCE(SUM(quantity_delta), 0) FROM stock_movements m"
            "  WHERE m.variant_id = i.variant_id),"
            " (SELECT COALESCE(SUM(reserved_delta), 0) FROM stock_movements m"
            "  WHERE m.variant_id = i.variant_id),"
            " (SELECT COALESCE(SUM(l.quantity), 0) FROM reservation_lines l"
            "  JOIN reservations r ON r.id = l.reservation_id"
            "  WHERE l.variant_id = i.variant_id AND r.status IN ('HELD', 'COMMITTED'))"
            " FROM inventory i WHERE i.variant_id = :id"
        )
        row = (await self.rows(query, id=variant_id.bytes))[0]
        return Shelf(*(int(value) for value in row))

    async def rows(self, query: sa.Executable, **parameters: Any) -> list[Any]:
        async with self.database.read_own_writes() as session:
            return list((await session.execute(query, parameters)).all())

    async def events(self, key: UUID) -> list[str]:
        """Return the types of the events written about an aggregate, oldest first."""
        query = sa.text("SELECT event_type FROM outbox WHERE aggregate_key = :key ORDER BY id")
        return [row[0] for row in await self.rows(query, key=str(key))]

    async def status(self, reservation_id: UUID) -> str:
        query = sa.text("SELECT status FROM reservations WHERE id = :id")
        return str((await self.rows(query, id=reservation_id.bytes))[0][0])

    async def reserve(self, *lines: tuple[UUID, int], **given: Any) -> ReserveCommand:
        """Reserve through the batcher and return what was asked for."""
        command = order(*lines, **given)
        await self.deps.batcher.reserve(command)
        return command

    async def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.client.post(path, json=body, headers=self.service() | headers)


def order(
    *lines: tuple[UUID, int],
    reservation_id: UUID | None = None,
    fingerprint: str = "f",
    user_id: UUID | None = None,
    idempotency_key: str | None = None,
) -> ReserveCommand:
    return ReserveCommand(
        reservation_id=reservation_id or new_id(),
        order_id=new_id(),
        fingerprint=fingerprint,
        lines=merged_lines(lines),
        user_id=user_id,
        idempotency_key=idempotency_key,
    )


OpenCatalog = Callable[..., Awaitable[Catalog]]


@pytest.fixture(scope="session")
async def catalog_url(parts: NativeStack) -> AsyncIterator[str]:
    """Return the address of a migrated database that no running process knows of."""
    async with migrated(parts, "catalog", "scratch_catalog_session") as url:
        yield url


@pytest.fixture(scope="session")
async def catalog(parts: NativeStack, catalog_url: str) -> AsyncIterator[Catalog]:
    """Return the app that most tests share; each brings products of its own."""
    async with opened(catalog_settings(parts, database_url=catalog_url)) as catalog:
        yield catalog


@pytest.fixture
async def open_catalog(parts: NativeStack, catalog_url: str) -> AsyncIterator[OpenCatalog]:
    """Return an opener of further processes, each with pools and a batcher of its own."""
    async with AsyncExitStack() as stack:

        async def another(**changes: Any) -> Catalog:
            settings = catalog_settings(parts, database_url=catalog_url, **changes)
            return await stack.enter_async_context(opened(settings))

        yield another


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Catalog]:
    key = new_key()
    app = build_app(settings, keys=StaticKeys(key))
    signer = TokenSigner(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://catalog") as client,
    ):
        deps: Deps = app.state.deps
        yield Catalog(settings, deps.database, deps, client, signer)


def catalog_settings(parts: NativeStack, **changes: Any) -> Settings:
    # A Redis database of its own too: the tree of this database is not the running stack's.
    own_redis = f"{parts.layout.redis_url.rpartition('/')[0]}/1"
    usual = {"database_read_urls": (), "reservation_ttl_s": 900, "redis_url": own_redis}
    return settings_on(parts, "catalog", Settings, **(usual | changes))

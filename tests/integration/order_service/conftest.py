"""The order service's app on real MySQL and Redis, with neighbours made for the test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from common_lib.auth import Role, ServiceTokens, SigningKey, StaticKeys, TokenSigner
from common_lib.database import Database
from common_lib.ids import new_id
from order_service.main import build_app
from order_service.services.wiring import UseCases
from order_service.settings import Settings
from shop.payment_sandbox import SandboxSettings
from shop.payment_sandbox import build_app as build_sandbox
from shop.stack.native import NativeStack
from tests.databases import migrated, settings_on
from tests.integration.order_service.neighbours import Neighbours
from tests.integration.order_service.proxy import Wire, wire_to
from tests.plain import NO_TLS
from tests.serving import free_port, served
from tests.shopper import Shopper

SECRET = "a-webhook-secret-of-the-tests"
ISSUER, AUDIENCE = "https://shop.example", "shop"


@dataclass(frozen=True)
class Ports:
    own: int
    sandbox: int
    around: int


@dataclass
class OpenShop:
    """The running order service with everything around it."""

    settings: Settings
    neighbours: Neighbours
    cases: UseCases
    http: httpx2.AsyncClient
    signer: TokenSigner
    services: ServiceTokens
    wire: Wire

    @property
    def database(self) -> Database:
        return self.cases.database

    def somebody(self, role: Role = Role.CUSTOMER, user_id: UUID | None = None) -> Shopper:
        """Return a caller with a token; nobody registers here."""
        known = user_id or new_id()
        token = self.signer.access(known, role, uuid4().hex)
        return Shopper(self.http, user_id=str(known), token=token)

    def sell(self, **about: Any) -> str:
        return self.neighbours.sell(**about)

    async def rows(self, sql: str, **values: Any) -> Sequence[Any]:
        async with self.database.connection() as connection:
            return (await connection.execute(sa.text(sql), values)).all()

    async def one(self, sql: str, **values: Any) -> Any:
        return (await self.rows(sql, **values))[0][0]

    async def orders_of(self, shopper: Shopper) -> int:
        count: int = await self.one(
            "SELECT COUNT(*) FROM orders WHERE user_id = UNHEX(REPLACE(:id, '-', ''))",
            id=shopper.user_id,
        )
        return count

    async def events_of(self, order_id: str) -> list[str]:
        rows = await self.rows(
            "SELECT event_type FROM outbox WHERE aggregate_key = :key ORDER BY id", key=order_id
        )
        return [event_type for (event_type,) in rows]

    def service_headers(self, service: str = "catalog-service") -> dict[str, str]:
        key = SigningKey.from_file(self.settings.service_token_key_file)
        return {"Authorization": f"Bearer {ServiceTokens(key, service).issue('order-service')}"}


OpenIt = Callable[..., Awaitable[OpenShop]]


@pytest.fixture(scope="session")
async def orders_url(parts: NativeStack) -> AsyncIterator[str]:
    """A migrated orders_db apart from the stack's own: its worker must not meddle."""
    async with migrated(parts, "order", "scratch_order_service") as url:
        yield url


@pytest.fixture
async def open_shop(parts: NativeStack, orders_url: str, tmp_path: Path) -> AsyncIterator[OpenIt]:
    """Return an opener of order services whose settings differ from the test's usual ones."""
    async with AsyncExitStack() as stack:

        async def opened(**changes: Any) -> OpenShop:
            own, sandbox, around = free_port(), free_port(), free_port()
            url = make_url(orders_url)
            wire = await stack.enter_async_context(wire_to("127.0.0.1", url.port or 0))
            ports = Ports(own, sandbox, around)
            settings = _settings(parts, url.set(port=wire.port), ports, changes)
            neighbours = Neighbours()
            await stack.enter_async_context(served(neighbours.app(), around))
            await stack.enter_async_context(
                served(build_sandbox(_sandbox_settings(ports, tmp_path)), sandbox)
            )
            signing = SigningKey.from_file(settings.service_token_key_file)
            app = build_app(settings, keys=StaticKeys(signing))
            base_url = await stack.enter_async_context(served(app, own))
            http = httpx2.AsyncClient(base_url=base_url, verify=NO_TLS, timeout=30)
            await stack.enter_async_context(http)
            return OpenShop(
                settings,
                neighbours,
                app.state.deps,
                http,
                TokenSigner(signing, issuer=ISSUER, audience=AUDIENCE),
                app.state.authenticator.services,
                wire,
            )

        yield opened


@pytest.fixture
async def shop(open_shop: OpenIt) -> OpenShop:
    return await open_shop()


def _settings(parts: NativeStack, url: URL, ports: Ports, changes: dict[str, Any]) -> Settings:
    ours = {
        "database_url": url.render_as_string(hide_password=False),
        "port": ports.own,
        "catalog_url": f"http://127.0.0.1:{ports.around}",
        "user_url": f"http://127.0.0.1:{ports.around}",
        "payment_sandbox_url": f"http://127.0.0.1:{ports.sandbox}",
        "payment_webhook_secret": SECRET,
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
    }
    return settings_on(parts, "order", Settings, **(ours | changes))


def _sandbox_settings(ports: Ports, folder: Path) -> SandboxSettings:
    return SandboxSettings.model_validate(
        {
            "port": ports.sandbox,
            "payment_webhook_secret": SECRET,
            "payment_sandbox_file": folder / f"sandbox-{ports.sandbox}.sqlite",
            "order_url": f"http://127.0.0.1:{ports.own}",
            "payment_sandbox_settle_s": 0.05,
            "payment_sandbox_hang_s": 1.5,
        }
    )

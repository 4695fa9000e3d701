"""The user service's app in this process, on real MySQL and Redis."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import update

from common_lib.auth import ServiceTokens, SigningKey
from common_lib.database import Database
from shop.stack.native import NativeStack
from tests.databases import migrated, settings_on
from tests.shopper import Shopper
from user_service.main import build_app
from user_service.models import User
from user_service.schemas.enums import UserRole
from user_service.settings import Settings

CALLER = "203.0.113.7"
# What an account is shown with.
MEMBERS = {"id", "email", "fullName", "phone", "role", "status", "emailVerified", "createdAt"}


@dataclass(frozen=True)
class Served:
    """A running app, its database, and a client for each caller's address."""

    settings: Settings
    database: Database
    client_from: Callable[[str], httpx2.AsyncClient]

    @property
    def client(self) -> httpx2.AsyncClient:
        return self.client_from(CALLER)

    def somebody(self) -> Shopper:
        return Shopper(self.client)

    async def customer(self) -> Shopper:
        return await (await self.somebody().register()).login()

    async def admin(self) -> Shopper:
        admin = await self.somebody().register()
        await self.give_role(admin.user_id, UserRole.ADMIN)
        return await admin.login()

    async def give_role(self, user_id: str, role: UserRole) -> None:
        async def work(session: Any) -> None:
            await session.execute(update(User).where(User.id == UUID(user_id)).values(role=role))

        await self.database.transact(work)

    def service_headers(self, service: str = "order-service") -> dict[str, str]:
        key = SigningKey.from_file(self.settings.service_token_key_file)
        return {"Authorization": f"Bearer {ServiceTokens(key, service).issue('user-service')}"}


Open = Callable[..., Awaitable[Served]]


@pytest.fixture
async def open_app(parts: NativeStack) -> AsyncIterator[Open]:
    """Return an opener of apps whose settings differ from the test's usual ones."""
    async with AsyncExitStack() as stack:

        async def opened(**changes: Any) -> Served:
            settings = user_settings(parts, **changes)
            app = build_app(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))

            def client_from(address: str) -> httpx2.AsyncClient:
                transport = httpx2.ASGITransport(app=app, client=(address, 40_000))
                return httpx2.AsyncClient(transport=transport, base_url="http://user")

            database = Database(settings)
            stack.push_async_callback(database.close)
            return Served(settings, database, client_from)

        yield opened


@pytest.fixture
async def app(open_app: Open) -> Served:
    return await open_app()


@pytest.fixture(scope="session")
async def own_database(parts: NativeStack) -> AsyncIterator[str]:
    """The URL of a migrated users database whose outbox no worker of the stack empties."""
    async with migrated(parts, "user", "scratch_accounts") as url:
        yield url


@pytest.fixture
async def open_quiet_app(open_app: Open, own_database: str) -> Open:
    """Return an opener of apps on `own_database`."""

    async def opened(**changes: Any) -> Served:
        return await open_app(database_url=own_database, database_read_urls=(), **changes)

    return opened


@pytest.fixture
async def quiet_app(open_quiet_app: Open) -> Served:
    return await open_quiet_app()


def user_settings(parts: NativeStack, **changes: Any) -> Settings:
    return settings_on(parts, "user", Settings, **changes)

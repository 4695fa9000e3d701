"""A service on the parts that the tests started: its settings, and databases of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shop.migrations import upgrade
from shop.stack.native import NativeStack

SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def settings_on(
    parts: NativeStack, service: str, kind: type[SettingsType], **changes: Any
) -> SettingsType:
    """Return what of a service's environment these settings know, with the changes."""
    environment = {
        name.removeprefix("SHOP_").lower(): value
        for name, value in parts.environment(service).items()
    }
    known = {name: value for name, value in environment.items() if name in kind.model_fields}
    return kind.model_validate(known | changes)


@asynccontextmanager
async def migrated(parts: NativeStack, service: str, name: str) -> AsyncIterator[str]:
    """Yield the URL of a service's database that no process of the stack knows of.

    It is empty and as the migrations make it; afterwards it is dropped.
    """
    url = parts.database_url(service)
    admin = create_async_engine(url, poolclass=NullPool)
    async with admin.connect() as connection:
        await connection.execute(sa.text(f"CREATE DATABASE {name}"))
    own = f"{url.rpartition('/')[0]}/{name}"
    try:
        await asyncio.to_thread(upgrade, service, own)
        yield own
    finally:
        async with admin.connect() as connection:
            await connection.execute(sa.text(f"DROP DATABASE {name}"))
        await admin.dispose()

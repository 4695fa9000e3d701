"""A service on the parts that the tests started: its settings, and databases of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shop.migrations import upgrade
from shop.stack.native import NativeStack

SettingsType = TypeVar("SettingsType", bound=BaseSettings)

# Which services' models a server holds.
_models: set[tuple[str, str]] = set()


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
    server = url.rpartition("/")[0]
    admin = create_async_engine(url, poolclass=NullPool)
    try:
        async with admin.connect() as connection:
            model = await _model(connection, server, service)
            await _create(connection, name)
            await _copy(connection, model, name)
        yield f"{server}/{name}"
    finally:
        async with admin.connect() as connection:
            await connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
        await admin.dispose()


async def _model(connection: AsyncConnection, server: str, service: str) -> str:
    """Return the name of the service's database that only the migrations have touched.

    It goes with its server. To copy it takes half of what migrating takes.
    """
    name = f"scratch_model_{service}"
    if (server, service) not in _models:
        await _create(connection, name)
        await asyncio.to_thread(upgrade, service, f"{server}/{name}")
        _models.add((server, service))
    return name


async def _create(connection: AsyncConnection, name: str) -> None:
    """Make an empty database; what a run that was killed left of that name goes."""
    await connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
    await connection.execute(sa.text(f"CREATE DATABASE {name}"))


async def _copy(connection: AsyncConnection, model: str, name: str) -> None:
    """Make each table as the server itself describes it, with the rows the migrations left."""
    await connection.exec_driver_sql(f"USE {name}")
    await connection.exec_driver_sql("SET foreign_key_checks = 0")
    for (table,) in (await connection.exec_driver_sql(f"SHOW TABLES FROM {model}")).all():
        described = await connection.exec_driver_sql(f"SHOW CREATE TABLE {model}.{table}")
        statement: str = described.mappings().one()["Create Table"]
        await connection.exec_driver_sql(statement.replace("%", "%%"))
        whole = f"SELECT * FROM {model}.{table}"  # noqa: S608 - our own names
        if (await connection.execute(sa.text(whole))).first():
            await connection.execute(sa.text(f"INSERT INTO {table} {whole}"))
    await connection.commit()

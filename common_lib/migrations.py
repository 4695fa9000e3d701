"""Alembic's way into a service's database: its env.py is one call of `migrate`."""

import asyncio
import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from common_lib.database import Id, UtcDateTime


def migrate(metadata: MetaData) -> None:
    """Run Alembic's command on the database of SHOP_DATABASE_URL, or print its SQL (`--sql`)."""
    if context.is_offline_mode():
        _run(metadata, dialect_name="mysql", literal_binds=True)
    else:
        asyncio.run(_online(metadata))


async def _online(metadata: MetaData) -> None:
    engine = create_async_engine(os.environ["SHOP_DATABASE_URL"], poolclass=NullPool)

    def work(connection: Connection) -> None:
        _run(metadata, connection=connection)

    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()


def _run(metadata: MetaData, **target: Any) -> None:
    context.configure(target_metadata=metadata, render_item=_render_type, **target)
    with context.begin_transaction():
        context.run_migrations()


def _render_type(kind: str, value: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write migrations in plain column types: they must not change when our classes do."""
    if kind == "type" and isinstance(value, Id):
        return "sa.BINARY(16)"
    if kind == "type" and isinstance(value, UtcDateTime):
        autogen.imports.add("from sqlalchemy.dialects import mysql")
        return "mysql.DATETIME(fsp=6)"
    return False

"""Alembic's entry: the address comes from SHOP_DATABASE_URL, the driver is asyncmy."""

import asyncio
import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from catalog_service.models import Base
from common_lib.database import Id, UtcDateTime


def render_type(kind: str, value: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write migrations in plain column types: they must not change when our classes do."""
    if kind == "type" and isinstance(value, Id):
        return "sa.BINARY(16)"
    if kind == "type" and isinstance(value, UtcDateTime):
        autogen.imports.add("from sqlalchemy.dialects import mysql")
        return "mysql.DATETIME(fsp=6)"
    return False


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, render_item=render_type)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    engine = create_async_engine(os.environ["SHOP_DATABASE_URL"], poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())

"""Rows planted straight into a database, every column that a test does not name made up."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from common_lib.database import Database, WriteSession

_COLUMNS = sa.text(
    "SELECT column_name, data_type, column_type FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :table AND is_nullable = 'NO'"
    " AND column_default IS NULL AND extra NOT LIKE '%GENERATED%'"
    " AND extra NOT LIKE '%auto_increment%'"
)


async def plant(database: Database, table: str, **values: Any) -> dict[str, Any]:
    """Insert one row without a look at foreign keys and return it whole."""

    async def work(session: WriteSession) -> dict[str, Any]:
        needed = (await session.execute(_COLUMNS, {"table": table})).all()
        made_up = {name: _made_up(kind, full) for name, kind, full in needed}
        row = made_up | values
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        await session.execute(sa.text("SET foreign_key_checks = 0"))
        # Our own names.
        insert = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608
        await session.execute(sa.text(insert), row)
        await session.execute(sa.text("SET foreign_key_checks = 1"))
        return row

    return await database.transact(work)


def _made_up(kind: str, full_type: str) -> Any:
    if kind in {"binary", "varbinary"}:
        return uuid4().bytes
    if kind in {"datetime", "timestamp"}:
        return datetime.now(UTC).replace(tzinfo=None)
    if kind == "enum":
        return full_type.split("'")[1]
    if kind == "json":
        return "{}"
    if kind in {"char", "varchar", "text", "mediumtext", "mediumblob"}:
        return uuid4().hex[:3] if kind == "char" else uuid4().hex[:20]
    return 1


async def clear(database: Database, *tables: str) -> None:
    """Delete every row of these tables."""

    async def work(session: WriteSession) -> None:
        await session.execute(sa.text("SET foreign_key_checks = 0"))
        for table in tables:
            await session.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
        await session.execute(sa.text("SET foreign_key_checks = 1"))

    await database.transact(work)

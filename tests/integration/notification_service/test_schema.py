"""notifications_db: the migrations and the models say the same."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from notification_service.models import Base
from shop.migrations import upgrade
from tests.conftest import ScratchDatabase
from tests.schemas import differences, has_table, tables, tables_of


async def test_the_only_table_is_the_one_of_business(
    scratch_database: ScratchDatabase,
) -> None:
    assert await tables(await scratch_database("notification")) == tables_of("notification")


async def test_the_models_match_what_the_migrations_made(scratch_database: ScratchDatabase) -> None:
    assert await differences(await scratch_database("notification"), Base.metadata) == []


async def test_migrating_again_changes_nothing(scratch_database: ScratchDatabase) -> None:
    url = await scratch_database("notification")

    await asyncio.to_thread(upgrade, "notification", url)

    assert await has_table(url, "notification_logs")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "LOST"),
        ("status", "SENT"),
        ("channel", "PIGEON"),
        ("retry_count", -1),
        ("sent_at", "2026-01-01"),
    ],
)
async def test_the_database_itself_refuses_a_bad_row_and_a_second_one_of_an_event(
    scratch_database: ScratchDatabase, column: str, value: object
) -> None:
    row: dict[str, object] = {
        "id": b"0" * 16,
        "event_id": b"1" * 16,
        "event_type": "ORDER_CREATED",
        "channel": "EMAIL",
        "recipient": "a@example.com",
        "subject": "Hello",
        "status": "PENDING",
        "retry_count": 0,
        "sent_at": None,
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
    }
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    insert = sa.text(f"INSERT INTO notification_logs ({names}) VALUES ({marks})")  # noqa: S608
    engine = create_async_engine(await scratch_database("notification"), poolclass=NullPool)

    async with engine.connect() as connection:
        await connection.execute(sa.text("SET SESSION sql_mode = 'STRICT_ALL_TABLES'"))
        with pytest.raises(DBAPIError):
            await connection.execute(insert, row | {column: value})
        await connection.execute(insert, row)
        with pytest.raises(DBAPIError):
            await connection.execute(insert, row | {"id": b"2" * 16})
    await engine.dispose()

"""users_db: the migrations and the models say the same."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shop.migrations import upgrade
from tests.conftest import ScratchDatabase
from tests.schemas import differences, has_table, tables, tables_of
from user_service.models import Base


async def test_the_tables_are_two_of_business_and_the_technical_ones(
    scratch_database: ScratchDatabase,
) -> None:
    assert await tables(await scratch_database("user")) == tables_of("user")


async def test_the_models_match_what_the_migrations_made(scratch_database: ScratchDatabase) -> None:
    assert await differences(await scratch_database("user"), Base.metadata) == []


async def test_migrating_again_changes_nothing(scratch_database: ScratchDatabase) -> None:
    url = await scratch_database("user")

    await asyncio.to_thread(upgrade, "user", url)

    assert await has_table(url, "users")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", "UPPER@example.com"),
        ("email", "no-at-sign"),
        ("email", "a b@example.com"),
        ("full_name", ""),
        ("role", "ROOT"),
        ("status", "GONE"),
        ("version", 0),
    ],
)
async def test_the_database_itself_refuses_a_bad_account(
    scratch_database: ScratchDatabase, column: str, value: object
) -> None:
    row: dict[str, object] = {
        "id": b"0" * 16,
        "email": "a@example.com",
        "password_hash": "x",
        "full_name": "A",
        "role": "CUSTOMER",
        "status": "ACTIVE",
        "email_verified": False,
        "preferences": "{}",
        "version": 1,
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
    }
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    insert = sa.text(f"INSERT INTO users ({names}) VALUES ({marks})")  # noqa: S608 - our names
    engine = create_async_engine(await scratch_database("user"), poolclass=NullPool)

    async with engine.connect() as connection:
        await connection.execute(sa.text("SET SESSION sql_mode = 'STRICT_ALL_TABLES'"))
        with pytest.raises(DBAPIError):
            await connection.execute(insert, row | {column: value})
        await connection.execute(insert, row)
    await engine.dispose()

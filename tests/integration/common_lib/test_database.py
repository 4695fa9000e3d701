"""Transactions on a real server: what is retried, what is unknown, what is refused."""

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from common_lib.database import (
    TRANSACTION_ATTEMPTS,
    Database,
    WriteSession,
    is_duplicate_key,
    is_lock_conflict,
)
from common_lib.errors import Unavailable
from tests.conftest import ScratchDatabase

OpenDatabase = Callable[[str], Database]


@pytest.fixture
async def database(scratch_database: ScratchDatabase, open_database: OpenDatabase) -> Database:
    database = open_database(await scratch_database("user"))

    async def create(session: WriteSession) -> None:
        await session.execute(
            sa.text("CREATE TABLE counters (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB")
        )
        await session.execute(sa.text("INSERT INTO counters VALUES (1, 0), (2, 0)"))

    await database.transact(create)
    return database


async def count(database: Database, identifier: int) -> int:
    async with database.read() as session:
        found = await session.scalar(
            sa.text("SELECT n FROM counters WHERE id = :id"), {"id": identifier}
        )
    return int(found or 0)


def add_one(identifier: int) -> sa.TextClause:
    return sa.text("UPDATE counters SET n = n + 1 WHERE id = :id").bindparams(id=identifier)


async def test_what_transact_returned_is_durable(database: Database) -> None:
    async def work(session: WriteSession) -> str:
        await session.execute(add_one(1))
        return "done"

    assert await database.transact(work) == "done"
    assert await count(database, 1) == 1


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    async def work(session: WriteSession) -> None:
        await session.execute(add_one(1))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transact(work)
    assert await count(database, 1) == 0


async def test_a_deadlocked_block_is_run_again(database: Database) -> None:
    """Two transactions take two rows in opposite order, and meet in the middle."""
    barrier, runs = asyncio.Barrier(2), 0

    async def work(session: WriteSession, first: int, second: int) -> None:
        nonlocal runs
        runs += 1
        is_first_try = runs <= 2
        await session.execute(add_one(first))
        if is_first_try:
            await barrier.wait()
        await session.execute(add_one(second))

    await asyncio.gather(
        database.transact(lambda session: work(session, 1, 2)),
        database.transact(lambda session: work(session, 2, 1)),
    )

    assert runs == 3
    assert (await count(database, 1), await count(database, 2)) == (2, 2)


async def test_a_block_that_keeps_conflicting_is_given_up_after_three_tries(
    database: Database,
) -> None:
    tries = 0

    async def work(session: WriteSession) -> None:
        nonlocal tries
        tries += 1
        await session.execute(sa.text("SET SESSION innodb_lock_wait_timeout = 1"))
        await session.execute(add_one(1))

    async with database.connection() as holder:
        await holder.execute(add_one(1))
        with pytest.raises(Exception) as caught:  # noqa: PT011 - its code is checked below
            await database.transact(work)
        await holder.rollback()

    assert is_lock_conflict(caught.value)
    assert tries == TRANSACTION_ATTEMPTS


async def test_a_duplicate_key_is_recognised(database: Database) -> None:
    async def work(session: WriteSession) -> None:
        await session.execute(sa.text("INSERT INTO counters VALUES (1, 0)"))

    with pytest.raises(IntegrityError) as caught:
        await database.transact(work)
    assert is_duplicate_key(caught.value)


async def test_a_lost_connection_is_unavailable_not_a_crash(database: Database) -> None:
    async def work(session: WriteSession) -> None:
        own = await session.scalar(sa.text("SELECT CONNECTION_ID()"))
        async with database.connection() as killer:
            await killer.execute(sa.text(f"KILL {own}"))
        await session.execute(add_one(1))

    with pytest.raises(Unavailable):
        await database.transact(work)
    assert await count(database, 1) == 0


async def test_an_unreachable_server_is_unavailable(open_database: OpenDatabase) -> None:
    nowhere = open_database("mysql+asyncmy://shop:x@127.0.0.1:9/nothing")

    with pytest.raises(Unavailable):
        await nowhere.ping()


async def test_sessions_are_strict_in_utc_and_read_committed(database: Database) -> None:
    names = "@@transaction_isolation, @@time_zone, @@innodb_lock_wait_timeout, @@sql_mode"
    async with database.read_own_writes() as session:
        isolation, zone, timeout_s, mode = (await session.execute(sa.text(f"SELECT {names}"))).one()

    assert (isolation, zone, timeout_s) == ("READ-COMMITTED", "+00:00", 2)
    assert "STRICT_ALL_TABLES" in mode

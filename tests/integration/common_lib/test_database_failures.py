"""Cut connections, killed servers, cancelled requests: nobody is told what is not so."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from common_lib.database import Database, WriteSession, is_lock_conflict
from common_lib.driver_errors import is_connection_lost
from common_lib.errors import CommitUnknown, Unavailable
from shop.stack.native import NativeStack
from tests.conftest import settings_for
from tests.integration.common_lib.cutting import Cut, Proxy, proxy_before
from tests.waiting import eventually

CUTS = [(cut, is_reset) for cut in Cut for is_reset in (True, False)]


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    url = database.writer.url
    async with proxy_before(url.host or "", url.port or 0) as proxy:
        yield proxy


@pytest.fixture
async def proxied(database: Database, proxy: Proxy, parts: NativeStack) -> AsyncIterator[Database]:
    """The database through the proxy, with a pool of four."""
    async with database.connection() as connection:
        await connection.execute(sa.text("CREATE TABLE marks (id INT PRIMARY KEY) ENGINE=InnoDB"))
    url = make_url(database.writer.url).set(host="127.0.0.1", port=proxy.port)
    settings = settings_for(parts, "order", url.render_as_string(hide_password=False))
    small = settings.model_copy(update={"database_pool_size": 4, "database_max_overflow": 0})
    proxied = Database(small)
    await proxied.ping()  # connecting sends a COMMIT of its own
    yield proxied
    await proxied.close()


async def mark(session: WriteSession) -> None:
    await session.execute(sa.text("INSERT INTO marks VALUES (1)"))


async def drive(database: Database) -> None:
    async with database.driver() as connection:
        async with connection.cursor() as cursor:
            await cursor.execute("INSERT INTO marks VALUES (1)")
        await connection.commit()


async def marks(database: Database) -> int:
    async with database.read_own_writes() as session:
        return int(await session.scalar(sa.text("SELECT COUNT(*) FROM marks")) or 0)


@pytest.mark.parametrize(("cut", "is_reset"), CUTS)
async def test_a_connection_cut_in_the_commit_leaves_the_outcome_unknown(
    database: Database, proxied: Database, proxy: Proxy, cut: Cut, is_reset: bool
) -> None:
    proxy.cut_at(b"COMMIT", cut, is_reset=is_reset)

    with pytest.raises(CommitUnknown):
        await proxied.transact(mark)

    assert await marks(database) == (1 if cut is Cut.BEFORE_THE_ANSWER else 0)
    assert proxied.pool_in_use() == 0


@pytest.mark.parametrize(("cut", "is_reset"), CUTS)
async def test_the_bare_driver_tells_a_cut_commit_from_a_refused_one(
    database: Database, proxied: Database, proxy: Proxy, cut: Cut, is_reset: bool
) -> None:
    proxy.cut_at(b"COMMIT", cut, is_reset=is_reset)

    with pytest.raises(Unavailable) as caught:
        await drive(proxied)

    assert caught.value.__cause__ is not None
    assert is_connection_lost(caught.value.__cause__)
    assert await marks(database) == (1 if cut is Cut.BEFORE_THE_ANSWER else 0)
    assert proxied.pool_in_use() == 0


@pytest.mark.parametrize(("cut", "is_reset"), CUTS)
async def test_a_connection_cut_before_the_commit_is_a_known_failure(
    database: Database, proxied: Database, proxy: Proxy, cut: Cut, is_reset: bool
) -> None:
    proxy.cut_at(b"INSERT", cut, is_reset=is_reset)

    with pytest.raises(Unavailable) as caught:
        await proxied.transact(mark)

    assert not isinstance(caught.value, CommitUnknown)
    assert await marks(database) == 0


async def use_driver(database: Database) -> None:
    async with database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT 1")


async def use_session(database: Database) -> None:
    async with database.read_own_writes() as session:
        await session.execute(sa.text("SELECT 1"))


@pytest.mark.parametrize("use", [use_driver, use_session])
async def test_a_restarted_server_fails_one_request_and_not_one_per_pooled_connection(
    proxied: Database, proxy: Proxy, use: Callable[[Database], Any]
) -> None:
    await asyncio.gather(*(proxied.ping() for _ in range(4)))
    proxy.drop_all()
    await eventually(lambda: not proxy._clients)
    failures = 0
    for _ in range(8):
        try:
            await use(proxied)
        except Unavailable:
            failures += 1

    assert failures <= 1


async def test_a_server_that_takes_connections_and_says_nothing_is_unavailable(
    proxied: Database, proxy: Proxy
) -> None:
    await proxied.close()
    proxy.is_mute = True
    started = time.monotonic()

    with pytest.raises(Unavailable):
        await proxied.ping()

    assert time.monotonic() - started < 5


async def test_an_exhausted_pool_is_unavailable(proxied: Database) -> None:
    async def hold() -> None:
        async with proxied.connection():
            await may_end.wait()

    may_end = asyncio.Event()
    holders = [asyncio.create_task(hold()) for _ in range(4)]
    await eventually(lambda: proxied.pool_in_use() == 4)

    with pytest.raises(Unavailable):
        await proxied.ping()
    may_end.set()
    await asyncio.gather(*holders)


async def test_a_conflict_that_persists_is_unavailable(proxied: Database) -> None:
    async def wait_for_lock(session: WriteSession) -> None:
        await session.execute(sa.text("SET SESSION innodb_lock_wait_timeout = 1"))
        await mark(session)

    async with proxied.connection() as holder:
        await holder.execute(sa.text("INSERT INTO marks VALUES (1)"))
        with pytest.raises(Unavailable) as caught:
            await proxied.transact(wait_for_lock)
        await holder.rollback()

    assert is_lock_conflict(caught.value)


async def transact_slowly(database: Database) -> None:
    async def work(session: WriteSession) -> None:
        await mark(session)
        await session.execute(sa.text("SELECT SLEEP(30), 'stale'"))

    await database.transact(work)


async def drive_slowly(database: Database) -> None:
    async with database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute("INSERT INTO marks VALUES (1); SELECT SLEEP(30), 'stale'")
        await cursor.nextset()


@pytest.mark.parametrize("slow", [transact_slowly, drive_slowly])
async def test_a_cancelled_request_leaves_no_rows_no_locks_and_no_connection_behind(
    database: Database, proxied: Database, slow: Callable[[Database], Any]
) -> None:
    async def is_sleeping() -> bool:
        sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'"
        async with database.read() as session:
            return bool(await session.scalar(sa.text(sql)))

    task = asyncio.create_task(slow(proxied))
    await eventually(is_sleeping)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    answers = [await _answer(proxied, n) for n in range(8)]
    assert (answers, proxied.pool_in_use()) == (list(range(8)), 0)
    await eventually(lambda: _can_mark(database), timeout_s=40)


async def _answer(database: Database, number: int) -> int:
    async with database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT %s", (number,))
        return int((await cursor.fetchone())[0])


async def _can_mark(database: Database) -> bool:
    try:
        await database.transact(mark)
    except Unavailable:
        return False
    return True


async def _use(database: Database, use: str) -> None:
    if use == "ping":
        await database.ping()
    elif use == "transact":
        await database.transact(lambda session: session.scalar(sa.text("SELECT 1")))
    elif use == "driver":
        async with database.driver() as raw, raw.cursor() as cursor:
            await cursor.execute("SELECT 1")
    else:
        async with database.read() as session:
            await session.scalar(sa.text("SELECT 1"))


@pytest.mark.parametrize("use", ["ping", "transact", "driver", "read"])
async def test_connections_that_died_at_rest_are_replaced_before_they_are_used(
    proxied: Database, proxy: Proxy, use: str
) -> None:
    """The server was started again; minutes later each of the pool's four is wanted."""
    all_there = asyncio.Barrier(4)

    async def occupy() -> None:
        async with proxied.connection():
            await all_there.wait()

    for _ in range(2):
        await asyncio.gather(*(occupy() for _ in range(4)))
        proxy.drop_all()
        await eventually(lambda: not proxy._clients, what="the connections to be dead")

        await asyncio.gather(*(_use(proxied, use) for _ in range(4)))

    assert proxy.accepted >= 6


async def test_a_connection_the_server_killed_at_rest_is_replaced_before_it_is_used(
    database: Database, open_database: Callable[[str], Database]
) -> None:
    """With its farewell in the socket: a session that was idle for too long, or KILL."""
    url = database.writer.url.render_as_string(hide_password=False)
    killer = open_database(url)
    async with database.connection() as connection:
        number = await connection.scalar(sa.text("SELECT CONNECTION_ID()"))
    async with killer.connection() as connection:
        await connection.execute(sa.text(f"KILL {number}"))

        async def is_gone() -> bool:
            query = sa.text(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE id = :number"
            )
            return not await connection.scalar(query, {"number": number})

        await eventually(is_gone, what="the connection to be killed")

    await database.ping()

"""The driver broken in every way that can be had for real: each is one of three answers."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from common_lib.database import Database, NotStorable, WriteSession
from common_lib.driver_errors import BUSY, UNFIT
from common_lib.errors import Unavailable
from common_lib.pools import ensure_pools_fit
from common_lib.settings import DatabaseSettings
from common_lib.settings.start import UnfitForStart
from shop.stack.native import NativeStack
from tests.conftest import settings_for
from tests.serving import Serve, listening

_FULL = struct.pack("<H", 1040)
_ENOUGH = 400


async def transacted(database: Database, sql: str) -> None:
    async def work(session: WriteSession) -> None:
        await session.execute(sa.text(sql))

    await database.transact(work)


async def driven(database: Database, sql: str) -> None:
    async with database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute(sql)


async def read(database: Database, sql: str) -> None:
    async with database.read() as session:
        await session.execute(sa.text(sql))


USES = [transacted, driven, read]
Use = Callable[[Database, str], Any]


def signal(code: int) -> str:
    return f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'broken'"


@pytest.mark.parametrize("use", USES)
async def test_a_server_that_cannot_now_is_unavailable(database: Database, use: Use) -> None:
    for code in sorted(BUSY | {1205, 1213, 1053}):
        with pytest.raises(Unavailable) as refused:
            await use(database, signal(code))
        assert (refused.value.retry_after_s, database.pool_in_use()) == (1, 0), code


@pytest.mark.parametrize("use", USES)
async def test_what_the_server_cannot_keep_is_refused(database: Database, use: Use) -> None:
    for code in sorted(UNFIT):
        with pytest.raises(NotStorable):
            await use(database, signal(code))
        assert database.pool_in_use() == 0, code


@pytest.mark.parametrize("use", USES)
async def test_json_nested_too_deep_is_refused(database: Database, use: Use) -> None:
    nested = "[" * 101 + "]" * 101

    with pytest.raises(NotStorable):
        await use(database, f"SELECT CAST('{nested}' AS JSON)")


@pytest.mark.parametrize("use", USES)
async def test_a_connection_killed_at_work_is_unavailable_and_the_next_works(
    database: Database, use: Use
) -> None:
    with pytest.raises(Unavailable):
        await use(database, "KILL CONNECTION_ID()")

    await use(database, "SELECT 1")
    assert database.pool_in_use() == 0


# The handshake


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def says(greeting: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        del reader
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    return serve


def packet(payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + b"\0" + payload


BROKEN = {
    "hangs up": hangs_up,
    "resets": resets,
    "half a header": says(b"\x4a\0"),
    "half a greeting": says(packet(b"\x0a8.4.0\0" + bytes(60))[:30]),
    "a greeting of nothing": says(packet(b"")),
    "another protocol": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an old protocol": says(packet(b"\x093.23\0")),
    "a greeting cut short": says(packet(b"\x0a8.4.0\0\1\0\0\0")),
    "too many connections": says(packet(b"\xff\x10\x04Too many connections")),
    "the host is blocked": says(packet(b"\xff\x69\x04Host is blocked")),
}


@asynccontextmanager
async def broken_database(parts: NativeStack, serve: Serve) -> AsyncIterator[Database]:
    async with listening(serve) as port:
        url = make_url(parts.database_url("order")).set(host="127.0.0.1", port=port)
        database = Database(settings_for(parts, "order", url.render_as_string(hide_password=False)))
        try:
            yield database
        finally:
            await database.close()


@pytest.mark.parametrize("how", list(BROKEN))
async def test_a_handshake_that_breaks_is_unavailable(parts: NativeStack, how: str) -> None:
    async with broken_database(parts, BROKEN[how]) as database:
        for use in USES:
            with pytest.raises(Unavailable) as refused:
                await use(database, "SELECT 1")
            assert (refused.value.retry_after_s, database.pool_in_use()) == (1, 0)


@pytest.mark.parametrize("use", USES)
async def test_a_server_that_is_not_there_is_unavailable(
    parts: NativeStack, unused_tcp_port: int, use: Use
) -> None:
    url = make_url(parts.database_url("order")).set(host="127.0.0.1", port=unused_tcp_port)
    database = Database(settings_for(parts, "order", url.render_as_string(hide_password=False)))

    with pytest.raises(Unavailable):
        await use(database, "SELECT 1")


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"database": "no_such_database"}])
async def test_a_server_that_lets_us_not_in_is_unavailable(
    parts: NativeStack, change: dict[str, str]
) -> None:
    url = make_url(parts.database_url("order")).set(**change)  # type: ignore[arg-type]
    database = Database(settings_for(parts, "order", url.render_as_string(hide_password=False)))

    with pytest.raises(Unavailable):
        await database.ping()


@contextlib.contextmanager
def all_connections_taken(host: str, port: int) -> Iterator[None]:
    """Take every connection the server has; who only connects counts, too."""
    taken = []
    try:
        for _ in range(_ENOUGH):
            one = socket.create_connection((host, port), timeout=10)
            taken.append(one)
            if one.recv(7)[5:7] == _FULL:
                break
        else:
            raise AssertionError("the server takes more connections than were tried")
        yield
    finally:
        for one in taken:
            one.close()


@pytest.mark.parametrize("use", USES)
async def test_with_all_connections_in_use_the_database_is_unavailable(
    database: Database, use: Use
) -> None:
    url = database.writer.url
    taken = all_connections_taken(url.host or "", url.port or 0)
    with taken, pytest.raises(Unavailable) as refused:
        await use(database, "SELECT 1")

    assert refused.value.detail == "the database takes no more just now"


# The sum of the pools


def settings_with(parts: NativeStack, **changes: Any) -> DatabaseSettings:
    settings = settings_for(parts, "order", parts.database_url("order"))
    return settings.model_copy(update=changes)


async def test_pools_that_do_not_fit_the_server_are_refused_at_start(parts: NativeStack) -> None:
    settings = settings_with(parts, database_processes=11)

    with pytest.raises(UnfitForStart) as refused:
        await asyncio.to_thread(ensure_pools_fit, settings)

    told = str(refused.value)
    assert "SHOP_DATABASE_POOL_SIZE" in told
    assert "SHOP_DATABASE_PROCESSES (11)" in told
    assert "274, but the database takes 250" in told


async def test_the_pools_of_the_local_stack_fit(parts: NativeStack) -> None:
    settings = settings_with(parts, database_processes=8)

    await asyncio.to_thread(ensure_pools_fit, settings)


async def test_a_server_that_is_away_keeps_nobody_from_starting(
    parts: NativeStack, unused_tcp_port: int
) -> None:
    url = make_url(parts.database_url("order")).set(port=unused_tcp_port)
    text = url.render_as_string(hide_password=False)

    await asyncio.to_thread(ensure_pools_fit, settings_with(parts, database_url=text))

"""MySQL: column types, the engine, and the one way to run a transaction."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncmy
import structlog
from asyncmy.errors import InterfaceError as DriverInterfaceError
from sqlalchemy import BINARY, DateTime, MetaData, event, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from common_lib.errors import CommitUnknown, Unavailable
from common_lib.settings import DatabaseSettings
from common_lib.sockets import has_news

T = TypeVar("T")
log = structlog.get_logger(__name__)

COLLATION: Final = "utf8mb4_unicode_520_ci"
TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": COLLATION,
}
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}

# MySQL error codes: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
DUPLICATE_KEY: Final = 1062
LOCK_WAIT_TIMEOUT: Final = 1205
DEADLOCK: Final = 1213
NULL_REFUSED: Final = 1048
ROW_REFERENCED: Final = 1451
NO_REFERENCED_ROW: Final = 1452
CHECK_VIOLATED: Final = frozenset({3819, 4025})  # MySQL, MariaDB
_CONNECTION_LOST: Final = frozenset({2003, 2006, 2013, 2014, 2055, 1927, 4031, 1053, 1077, 1079})
# Too many connections, or read-only.
_REFUSING: Final = frozenset({1040, 1203, 1226, 1290, 1792, 1836})

_CONFLICT_PAUSES_S: Final = (0.02, 0.1)
TRANSACTION_ATTEMPTS: Final = len(_CONFLICT_PAUSES_S) + 1
_CONNECT_TIMEOUT_S: Final = 3.0


def new_metadata() -> MetaData:
    """Return the metadata of one service's schema, with stable constraint names."""
    return MetaData(naming_convention=NAMING)


class Id(TypeDecorator[UUID]):
    """A UUID in BINARY(16): a UUIDv7's own byte order already sorts by time."""

    impl = BINARY(16)
    cache_ok = True

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:
        del dialect
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> UUID | None:
        del dialect
        return None if value is None else UUID(bytes=bytes(value))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in DATETIME(6), stored in UTC; a naive one is refused with ValueError."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(mysql.DATETIME(fsp=6))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else to_column(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


def to_column(moment: datetime) -> datetime:
    """Return the naive UTC value a DATETIME column takes; for hand-written SQL."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in the database")
    return moment.astimezone(UTC).replace(tzinfo=None)


class ReadSession(AsyncSession):
    """A session on a replica, or on the source where there is none; it never commits."""


class WriteSession(AsyncSession):
    """A session on the source, inside one transaction."""


AnySession = ReadSession | WriteSession


class Database:
    """One service's database: a source for writes, replicas for reads."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.writer = _engine(settings.database_url, settings)
        self._replicas = [_engine(url, settings) for url in settings.database_read_urls]
        self._next_reader = itertools.cycle(self._replicas or [self.writer])

    async def transact(self, work: Callable[[WriteSession], Awaitable[T]]) -> T:
        """Run `work` in one transaction and commit; what it returns is durable.

        A deadlock or lock timeout runs the whole block again, at most three times, so `work` must
        have no effect outside its session. Raises CommitUnknown if the connection was lost during
        COMMIT and Unavailable if the database cannot be reached or the conflict persists.
        """
        for pause_s in (*_CONFLICT_PAUSES_S, None):
            try:
                return await self._attempt(work)
            except Exception as error:
                if not is_lock_conflict(error):
                    raise
                if pause_s is None:
                    raise Unavailable("the rows are too contended", retry_after_s=1) from error
            await asyncio.sleep(random.uniform(0, pause_s))
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, work: Callable[[WriteSession], Awaitable[T]]) -> T:
        with _translated():
            async with WriteSession(self.writer, expire_on_commit=False) as session:
                result = await work(session)
                await _commit(session)
                return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session on the next replica. Raises Unavailable if it cannot be reached."""
        with _translated():
            async with ReadSession(next(self._next_reader), expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def read_own_writes(self) -> AsyncIterator[ReadSession]:
        """Open a reading session on the source: a user's own reads follow their writes."""
        with _translated():
            async with ReadSession(self.writer, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Check out a connection of the write pool, for hot paths and advisory locks."""
        with _translated():
            async with self.writer.connect() as connection:
                yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """Check out the bare asyncmy connection of the write pool, for hot paths.

        The caller commits or rolls back; a transaction left open is rolled back. Measured at a
        fifth of the cost of Core (ADR 0004).
        """
        async with self.connection() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            try:
                yield raw
                if raw is not None and raw.get_transaction_status():
                    await raw.rollback()
            except BaseException as error:
                await _discard(connection, error)
                raise

    async def ping(self) -> None:
        """Ask the source for its pulse. Raises Unavailable."""
        async with self.connection() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        for engine in (self.writer, *self._replicas):
            await engine.dispose()

    def pool_in_use(self) -> int:
        checked_out: Callable[[], int] = self.writer.pool.checkedout  # type: ignore[attr-defined]
        return checked_out()


def is_lock_conflict(error: BaseException) -> bool:
    """Tell whether MySQL asked for the transaction to be run again."""
    return error_code(error) in {DEADLOCK, LOCK_WAIT_TIMEOUT}


def is_duplicate_key(error: BaseException, key: str = "") -> bool:
    """Tell whether a unique key refused a row; `key` narrows it to the key's name."""
    return error_code(error) == DUPLICATE_KEY and key in str(error)


def is_foreign_key_refused(error: BaseException, key: str = "") -> bool:
    """Tell whether a row was refused because what it names is not there; `key` as above."""
    return error_code(error) == NO_REFERENCED_ROW and key in str(error)


def is_still_referenced(error: BaseException) -> bool:
    """Tell whether a row was kept because a foreign key leads to it."""
    return error_code(error) == ROW_REFERENCED


def is_check_violation(error: BaseException) -> bool:
    return error_code(error) in CHECK_VIOLATED


def is_null_refused(error: BaseException) -> bool:
    """Tell whether NULL was refused by a column, which is how guards in hand-written SQL fail."""
    return error_code(error) == NULL_REFUSED


def is_connection_lost(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError, DisconnectionError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, (InterfaceError, DriverInterfaceError)):
        return True
    return error_code(error) in _CONNECTION_LOST


def error_code(error: BaseException) -> int | None:
    """Return MySQL's error number behind a SQLAlchemy or driver error, if there is one."""
    origin = getattr(error, "orig", None) or error
    arguments: Sequence[Any] = origin.args
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    cause = origin.__cause__
    return error_code(cause) if cause is not None else None


class _translated:  # noqa: N801 - reads as the word it is in `with _translated():`
    """Turn a lost or refused connection into Unavailable; leave every other error as it is."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (IntegrityError, Unavailable)):
            return
        if isinstance(error, PoolExhausted) or error_code(error) in _REFUSING:
            log.warning("database.refuses", error=type(error).__name__, code=error_code(error))
            raise Unavailable("the database takes no more just now", retry_after_s=1) from error
        if is_connection_lost(error):
            log.warning("database.unavailable", error=type(error).__name__)
            raise Unavailable("the database does not answer", retry_after_s=1) from error


async def _discard(connection: AsyncConnection, error: BaseException) -> None:
    """Close a connection that may be in the middle of an answer or of a transaction."""
    if error_code(error) in _CONNECTION_LOST:
        # SQLAlchemy meets the loss itself, and then takes none of the pool's others for alive.
        with contextlib.suppress(DBAPIError):
            await connection.exec_driver_sql("DO 0")
    await connection.invalidate()


async def _commit(session: WriteSession) -> None:
    await session.flush()  # what fails here is known to have failed
    try:
        await session.commit()
    except Exception as error:
        if error_code(error) and not is_connection_lost(error):
            raise  # the server's own word: not committed
        raise CommitUnknown(retry_after_s=1) from error


def _engine(url: str, settings: DatabaseSettings) -> AsyncEngine:
    engine = create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=5,
        pool_recycle=1800,
        # Sessions and connections roll back themselves, driver() looks at the server's own flag:
        # the pool's ROLLBACK would be a round trip more on every hot path.
        pool_reset_on_return=None,
        pool_pre_ping=False,
        # Values are people's: what is logged of an error must not show them.
        hide_parameters=True,
        connect_args={"charset": "utf8mb4", "async_creator_fn": _connect},
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    event.listen(engine.sync_engine, "checkout", _refuse_dead)
    return engine


async def _connect(**options: Any) -> Any:
    """Connect and log in within the time-out; asyncmy's own covers the TCP handshake alone."""
    async with asyncio.timeout(_CONNECT_TIMEOUT_S):
        return await asyncmy.connect(**options)


def _refuse_dead(connection: Any, record: object, proxy: object) -> None:
    """Let the pool replace a connection that ended while it rested, before it is used.

    The server says nothing unasked but its farewell (ER_CLIENT_INTERACTION_TIMEOUT), so whatever
    there is to read is the end. It costs no round trip, as the pool's own ping would.
    """
    del record, proxy
    transport = connection.driver_connection._transport  # noqa: SLF001 - it has no question for it
    if transport is None or transport.is_closing() or has_news(transport):
        raise DisconnectionError("the connection ended while it rested")


def _prepare_connection(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    cursor.execute(
        f"SET NAMES utf8mb4 COLLATE {COLLATION},"
        " SESSION innodb_lock_wait_timeout = 2, SESSION time_zone = '+00:00',"
        # MySQL warns, at the price of a round trip, when strict mode comes without these three.
        " SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
        "NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO'"
    )
    cursor.close()

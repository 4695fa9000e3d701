"""MySQL: column types, the engine, and the one way to run a transaction."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncmy
import structlog
from asyncmy.errors import MySQLError, OperationalError
from sqlalchemy import BINARY, DateTime, MetaData, event, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from common_lib.driver_errors import (
    BUSY,
    CHECK_VIOLATED,
    CONFLICTS,
    CONNECTION_LOST,
    DUPLICATE_KEY,
    INTEGRITY,
    NO_REFERENCED_ROW,
    NULL_REFUSED,
    ROW_REFERENCED,
    Fault,
    error_code,
    fault_of,
)
from common_lib.errors import CommitUnknown, DomainError, Rejected, Unavailable
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

_CONFLICT_PAUSES_S: Final = (0.02, 0.1)
TRANSACTION_ATTEMPTS: Final = len(_CONFLICT_PAUSES_S) + 1
_CONNECT_TIMEOUT_S: Final = 3.0
_CANNOT_CONNECT: Final = 2003


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


class NotStorable(Rejected):
    """A check of ours should have refused it before: the log names the driver's error."""

    code = "not_storable"
    title = "A value that was sent is longer, larger or deeper than can be kept"


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
        with _translated(are_conflicts_ours=True):
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

        The caller commits or rolls back; a transaction left open is rolled back. A caller that
        finds it broken closes it. Measured at a fifth of the cost of Core (ADR 0004).
        """
        async with self.connection() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            refusal: DomainError | None = None
            try:
                try:
                    yield raw
                except DomainError as error:
                    if _may_be_the_connections(error):
                        raise
                    refusal = error
                if raw.connected and raw.get_transaction_status():
                    await raw.rollback()
            except BaseException as error:
                await _discard(connection, error)
                raise
            if not raw.connected:
                await connection.invalidate()
            if refusal is not None:
                raise refusal

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
    return error_code(error) in CONFLICTS


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


class _translated:  # noqa: N801 - reads as the word it is in `with _translated():`
    """Turn the driver's errors into ours: Unavailable where asking again may help, NotStorable.

    What a unique key, a foreign key or a CHECK refused passes as it is: the caller knows what that
    means. So does a deadlock where `are_conflicts_ours`.
    """

    def __init__(self, *, are_conflicts_ours: bool = False) -> None:
        self._passed = CONFLICTS if are_conflicts_ours else frozenset()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, DomainError) or not isinstance(error, Exception):
            return
        code, fault = error_code(error), fault_of(error)
        if fault is None or code in self._passed or code in INTEGRITY:
            return
        log.warning("database.failed", error=type(error).__name__, code=code, fault=fault.value)
        if fault is Fault.REFUSED:
            raise NotStorable from error
        raise Unavailable(_words_for(code, error), retry_after_s=1) from error


def _words_for(code: int | None, error: Exception) -> str:
    if code in CONFLICTS:
        return "the rows are too contended"
    if code in BUSY or isinstance(error, PoolExhausted):
        return "the database takes no more just now"
    return "the database does not answer"


def _may_be_the_connections(error: DomainError) -> bool:
    """Tell whether a refusal may come of a broken connection; our own rules' do not."""
    return isinstance(error, Unavailable) and error.__cause__ is not None


async def _discard(connection: AsyncConnection, error: BaseException) -> None:
    """Close a connection that may be in the middle of an answer or of a transaction."""
    if error_code(error) in CONNECTION_LOST:
        # SQLAlchemy meets the loss itself, and then takes none of the pool's others for alive.
        with contextlib.suppress(DBAPIError):
            await connection.exec_driver_sql("DO 0")
    await connection.invalidate()


async def _commit(session: WriteSession) -> None:
    await session.flush()  # what fails here is known to have failed
    try:
        await session.commit()
    except Exception as error:
        if fault_of(error, in_commit=True) is Fault.TRY_AGAIN:
            raise  # the server's own word: not committed
        raise CommitUnknown(retry_after_s=1) from error


def _engine(url: str, settings: DatabaseSettings) -> AsyncEngine:
    engine = create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout_s,
        pool_recycle=1800,
        # Sessions and connections roll back themselves, driver() looks at the server's own flag:
        # the pool's ROLLBACK would be a round trip more on every hot path.
        pool_reset_on_return=None,
        pool_pre_ping=False,
        # Values are people's: what is logged of an error must not show them.
        hide_parameters=True,
        connect_args={"charset": "utf8mb4", "async_creator_fn": connect},
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    event.listen(engine.sync_engine, "checkout", _refuse_dead)
    return engine


async def connect(**options: Any) -> Any:
    """Connect and log in within the time-out; asyncmy's own covers the TCP handshake alone.

    Raises nothing but the driver's own errors: a server that hangs up in the handshake makes it
    raise RuntimeError and others, which SQLAlchemy does not know for what they are.
    """
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            return await asyncmy.connect(**options)
    except MySQLError:
        raise
    except Exception as error:
        raise OperationalError(_CANNOT_CONNECT, f"no connection: {error!r}") from error


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

"""Every way in which the MySQL driver can fail is one of three answers.

The server's codes: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html,
https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html. What has no code comes
out of the driver itself, which fails in its own ways when a connection breaks under it: asyncmy
0.2 with RuntimeError in the handshake, with AttributeError, IndexError or struct.error in a packet.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from asyncmy.errors import InterfaceError as DriverInterfaceError
from asyncmy.errors import InternalError, MySQLError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolExhausted

DUPLICATE_KEY: Final = 1062
LOCK_WAIT_TIMEOUT: Final = 1205
DEADLOCK: Final = 1213
NULL_REFUSED: Final = 1048
ROW_REFERENCED: Final = 1451
NO_REFERENCED_ROW: Final = 1452
CHECK_VIOLATED: Final = frozenset({3819, 4025})  # MySQL, MariaDB

CONFLICTS: Final = frozenset({LOCK_WAIT_TIMEOUT, DEADLOCK})
CONNECTION_LOST: Final = frozenset(
    {
        *(2002, 2003, 2005),  # cannot be reached
        *(2006, 2012, 2013, 2014, 2027, 2055),  # gone, lost, out of step
        *(1053, 1077, 1079, 1152, 1184, 1927, 3169, 4031),  # shut down, aborted, killed, idle
        *(1158, 1159, 1160, 1161),  # the server could not read or write the network
    }
)
# The server's word that it takes nothing more just now, or not from us.
BUSY: Final = frozenset(
    {
        *(1040, 1203, 1226),  # too many connections: of all, of a user, of an account's share
        *(1129, 1130),  # this host is blocked, or not let in
        *(1044, 1045, 1049, 1142, 1143, 1227, 1698),  # access denied
        *(1290, 1792, 1836, 1223, 3989),  # read-only, locked for a backup
        *(1020, 1021, 1026, 1030, 1037, 1038, 1041, 1114, 1197, 1598, 3675),  # disk, memory, log
        *(1317, 1836, 1969, 3024),  # interrupted, max_execution_time (MariaDB: max_statement_time)
        *(1047, 1180, 3100, 3101),  # a cluster that cannot commit
    }
)
# What was sent does not fit: the same again would not either.
UNFIT: Final = frozenset(
    {
        *(1153, 1301, 1162),  # larger than a packet
        *(1264, 1265, 1292, 1366, 1406, 1411, 1426, 1441, 1690),  # too long, out of range, no such
        *(1118, 1300, 3854, 3988),  # row too large, no such characters
        *(3140, 3141, 3146, 3150, 3157),  # JSON: malformed, too large, nested too deep
    }
)
INTEGRITY: Final = frozenset(
    {DUPLICATE_KEY, NULL_REFUSED, ROW_REFERENCED, NO_REFERENCED_ROW, 1169, 1216, 1217, 1586, 1761}
    | CHECK_VIOLATED
)
# The server's word in answer to COMMIT that nothing was written.
NOT_COMMITTED: Final = CONFLICTS | frozenset({1290, 1792, 1836, 3100, 3101})


class Fault(StrEnum):
    """What an error of the driver means for whoever asked."""

    TRY_AGAIN = "try again"  # nothing was written
    REFUSED = "refused"  # what was asked for cannot be; the same again would fail again
    UNKNOWN = "unknown"  # it was sent, and may have been written: read again


def error_code(error: BaseException) -> int | None:
    """Return MySQL's error number behind a SQLAlchemy or driver error, if there is one."""
    origin = getattr(error, "orig", None) or error
    arguments: Sequence[Any] = origin.args
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    cause = origin.__cause__
    return error_code(cause) if cause is not None else None


def fault_of(error: BaseException, *, in_commit: bool = False) -> Fault | None:
    """Say what an error means; None for what is no error of a driver, or a mistake in our SQL.

    `in_commit`: it came while COMMIT was under way.
    """
    code = error_code(error)
    if in_commit:
        return Fault.TRY_AGAIN if code in NOT_COMMITTED else Fault.UNKNOWN
    if isinstance(error, PoolExhausted) or code in CONFLICTS or code in BUSY:
        return Fault.TRY_AGAIN
    if code in UNFIT or code in INTEGRITY:
        return Fault.REFUSED
    if is_connection_lost(error):
        return Fault.TRY_AGAIN
    found = _of_driver(error)
    if found is None or isinstance(found, (ProgrammingError, NotSupportedError)):
        return None
    return Fault.TRY_AGAIN


def is_connection_lost(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError, EOFError, DisconnectionError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, (InterfaceError, DriverInterfaceError, InternalError)):
        return True
    return error_code(error) in CONNECTION_LOST or _broke_in_driver(error)


def _of_driver(error: BaseException) -> MySQLError | None:
    """Return the driver's error that this one is, or wraps."""
    for each in _chain(error):
        if isinstance(each, MySQLError):
            return each
    return None


def _broke_in_driver(error: BaseException) -> bool:
    """Tell whether an error that is none of the driver's own classes was raised inside of it."""
    for each in _chain(error):
        # SQLAlchemy's wrapper carries the trace of what it wraps.
        is_wrapper = isinstance(each, DBAPIError) and isinstance(each.orig, MySQLError)
        if is_wrapper or isinstance(each, MySQLError) or not isinstance(each, Exception):
            continue
        trace = each.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None and "asyncmy/" in trace.tb_frame.f_code.co_filename:
            return True
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it was made from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = getattr(found, "orig", None) or found.__cause__

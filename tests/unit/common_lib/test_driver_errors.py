"""Every way in which the driver can fail is one of three answers."""

import asyncio
import struct
from collections.abc import Callable

import pytest
from asyncmy.errors import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    MySQLError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from common_lib.driver_errors import (
    BUSY,
    CONFLICTS,
    CONNECTION_LOST,
    INTEGRITY,
    NOT_COMMITTED,
    UNFIT,
    Fault,
    fault_of,
    is_connection_lost,
)


def wrapped(error: MySQLError) -> DBAPIError:
    return DBAPIError("SELECT 1", None, error)


def raised_in_driver(kind: type[Exception]) -> Exception:
    """Return an error raised by code that says it is the driver's."""
    namespace = {"kind": kind}
    code = compile("def read():\n    raise kind('broken')", "asyncmy/connection.pyx", "exec")
    exec(code, namespace)  # noqa: S102 - nothing but the file name is of interest
    read: Callable[[], None] = namespace["read"]  # type: ignore[assignment]
    try:
        read()
    except kind as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("wrap", [wrapped, lambda error: error])
@pytest.mark.parametrize("code", sorted(CONNECTION_LOST | BUSY | CONFLICTS))
def test_nothing_was_written_where_the_connection_or_the_server_failed(
    code: int, wrap: Callable[[MySQLError], Exception]
) -> None:
    assert fault_of(wrap(OperationalError(code, "x"))) is Fault.TRY_AGAIN


@pytest.mark.parametrize("code", sorted(UNFIT | INTEGRITY))
def test_what_does_not_fit_is_refused(code: int) -> None:
    assert fault_of(wrapped(DataError(code, "x"))) is Fault.REFUSED
    assert fault_of(IntegrityError(code, "x")) is Fault.REFUSED


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(2013, "lost"),
        OperationalError(1053, "shutdown"),
        OperationalError(1180, "error during COMMIT"),
        OperationalError(1114, "the table is full"),
        InternalError("Packet sequence number wrong"),
        RuntimeError("Transport does not expose socket instance"),
        ConnectionResetError(),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 4),
    ],
)
def test_whatever_breaks_a_commit_leaves_it_unknown(error: Exception) -> None:
    assert fault_of(error, in_commit=True) is Fault.UNKNOWN


@pytest.mark.parametrize("code", sorted(NOT_COMMITTED))
def test_only_the_servers_own_word_says_that_nothing_was_committed(code: int) -> None:
    assert fault_of(wrapped(OperationalError(code, "x")), in_commit=True) is Fault.TRY_AGAIN


@pytest.mark.parametrize(
    "error",
    [
        PoolExhausted(),
        ConnectionRefusedError(),
        BrokenPipeError(),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 4),
        InterfaceError(0, "Not connected"),
        InternalError("Packet sequence number wrong"),
        OperationalError(12345, "an error of a later version"),
        *(
            raised_in_driver(kind)
            for kind in (RuntimeError, AttributeError, IndexError, struct.error, AssertionError)
        ),
    ],
    ids=repr,
)
def test_what_the_driver_raises_besides_is_worth_another_try(error: Exception) -> None:
    assert fault_of(error) is Fault.TRY_AGAIN


def test_an_error_that_was_translated_before_is_still_known_by_its_cause() -> None:
    error = ValueError("told otherwise")
    error.__cause__ = OperationalError(1213, "deadlock")

    assert fault_of(error) is Fault.TRY_AGAIN


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("ours"),
        AttributeError("ours"),
        KeyError("ours"),
        ProgrammingError(1064, "a mistake in our SQL"),
    ],
    ids=repr,
)
def test_our_own_mistakes_are_none_of_the_three(error: Exception) -> None:
    assert fault_of(error) is None


def test_a_broken_connection_is_told_from_a_refusal() -> None:
    assert is_connection_lost(OperationalError(2006, "gone"))
    assert is_connection_lost(raised_in_driver(RuntimeError))
    assert not is_connection_lost(OperationalError(1213, "deadlock"))
    assert not is_connection_lost(RuntimeError("ours"))


def test_no_code_means_two_things() -> None:
    groups = [CONNECTION_LOST, BUSY, CONFLICTS, UNFIT, INTEGRITY]

    assert sum(map(len, groups)) == len(frozenset().union(*groups))

"""What a tool raises becomes one line with a cause and a fix, whatever it is."""

import errno

import pytest
import typer
from asyncmy.errors import OperationalError as DriverError
from botocore.exceptions import EndpointConnectionError
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import OutOfMemoryError
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from common_lib.errors import Unavailable
from shop.plainly import explained, told_plainly
from shop.stack.errors import StackError


def mysql(number: int, words: str) -> OperationalError:
    return OperationalError("SELECT 1", {}, DriverError(number, words))


def behind(cause: Exception) -> Unavailable:
    error = Unavailable("the database does not answer")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cause", "fix"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "the disk is full at /x/y",
            "room",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x may not be written", "owner"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x may not be", "owner"),
        (ConnectionRefusedError(111, "Connection refused"), "a part of the shop", "make up"),
        (
            OSError(111, "Connect call failed ('127.0.0.1', 3307)"),
            "mysql-catalog (port 3307)",
            "up",
        ),
        (mysql(1045, "Access denied for user 'shop'"), "MySQL refuses the account", "password"),
        (mysql(1114, "The table is full"), "MySQL has no room left", "room"),
        (mysql(2003, "Can't connect"), "a database (Can't connect) does not", "make up"),
        (ProgrammingError("x", {}, DriverError(1146, "no table")), "lacks a table", "migrate"),
        (
            InterfaceError("x", {}, DriverError(0, "Not connected")),
            "a database (Not conn",
            "make up",
        ),
        (EndpointConnectionError(endpoint_url="http://x"), "LocalStack does not do", "make up"),
        (RedisAway("Connection refused"), "Redis does not answer", "make up"),
        (OutOfMemoryError("OOM command not allowed"), "Redis does not answer: OOM", "make up"),
        (Unavailable("the database does not answer"), "the database does not", "make status"),
        (behind(mysql(1045, "Access denied")), "MySQL refuses the account", "password"),
        (ExceptionGroup("two", [mysql(1045, "Access denied")]), "refuses the account", "password"),
        (ExceptionGroup("one", [StackError("a cause", "a fix")]), "a cause", "a fix"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", "fault of ours"),
    ],
)
def test_every_error_has_a_cause_and_a_fix(error: Exception, cause: str, fix: str) -> None:
    found = explained(error)
    assert cause in found.cause
    assert fix in found.fix
    assert "\n" not in str(found)


def test_no_traceback_is_shown_and_the_exit_code_says_that_it_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as ended, told_plainly():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "error: the disk is full. Fix: make room on that disk\n"


def test_an_interrupted_tool_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, told_plainly():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert "interrupted" in capsys.readouterr().err

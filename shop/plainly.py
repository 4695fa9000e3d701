"""What can go wrong in a tool, told in one line with its fix and an exit code.

Errors of the drivers are known by the names of their packages: `shop` loads none of them for the
commands that do without.
"""

import errno
import os
import re
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import typer
from rich.console import Console

from shop.stack.errors import StackError
from shop.stack.layout import LOCAL, Layout

INTERRUPTED: Final = 130
_NO_ACCESS: Final = frozenset({1044, 1045, 1049, 1698})
_NO_TABLE: Final = frozenset({1146, 1054})
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, 1021, 1114, 3675})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_MYSQL: Final = ("sqlalchemy", "asyncmy", "pymysql")
_PARTS: Final = (
    (
        ("botocore", "aiobotocore", "aiohttp", "boto3"),
        "LocalStack does not do what it is asked",
        "make up",
    ),
    (("redis",), "Redis does not answer", "make up"),
    (("httpx2", "httpcore2", "httpx", "httpcore"), "the shop does not answer", "make up"),
)
_SHOWN: Final = 200
complaints = Console(stderr=True)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what can go wrong into one line and an exit code; SIGTERM cleans up like Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        complaints.print("interrupted: what this call started is stopped again")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody is shown a traceback
        complaints.print(
            f"error: {explained(error)}", markup=False, highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from None


def explained(error: BaseException) -> StackError:
    """Return the cause and the fix of whatever was raised; each is one line."""
    for cause in _chain(error):
        known = _known(cause)
        if known is not None:
            return known
    return StackError(
        f"{type(error).__name__}: {_one_line(error)}",
        f"this is a fault of ours; see {_kept(error)}",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what lies behind it: what was met first says most, so it comes first."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [e for e in (one.__cause__, getattr(one, "orig", None)) if e is not None]
    stated = [one for one in found if isinstance(one, StackError)]
    yield from stated or reversed(found)


def _known(error: BaseException) -> StackError | None:
    if isinstance(error, StackError):
        return error
    package = type(error).__module__.partition(".")[0]
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if package in _MYSQL:
        return _of_mysql(error, number)
    if isinstance(error, OSError):
        return _of_system(error)
    for packages, words, fix in _PARTS:
        if package in packages:
            return StackError(f"{words}: {_one_line(error)}", fix)
    return _of_ours(error)


def _of_mysql(error: BaseException, number: int | None) -> StackError | None:
    if number in _NO_ACCESS:
        return StackError(
            f"MySQL refuses the account: {_said(error)}",
            "use the password the data was made with (.local/keys, or SHOP_DB_PASSWORD with"
            " Docker), or make reset",
        )
    if number in _NO_TABLE:
        return StackError(f"the database lacks a table: {_said(error)}", "shop migrate all")
    if number in _DISK_FULL:
        return StackError(f"MySQL has no room left: {_said(error)}", "make room on that disk")
    if number is not None or type(error).__name__ in {"InterfaceError", "OperationalError"}:
        return StackError(f"{_who(_said(error), 'a database')} does not answer", "make up")
    return None


def _of_system(error: OSError) -> StackError:
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in _DISK_FULL:
        return StackError(f"the disk is full{where}", "make room on that disk")
    if error.errno in _READ_ONLY:
        return StackError(
            f"{error.filename or 'a file'} may not be written or read: {error.strerror}",
            "run this as the owner of the files",
        )
    if isinstance(error, (ConnectionError, TimeoutError)):
        return StackError(f"{_who(str(error))} does not answer", "make status, make up")
    return StackError(f"{error.strerror or type(error).__name__}{where}", "make doctor")


def _of_ours(error: BaseException) -> StackError | None:
    """Explain errors of our own vocabulary by name; loading it would load the drivers."""
    if type(error).__name__ == "QueueMissing":
        return StackError(f"the bus has no {error}", "make up, or shop queues")
    if any(kind.__name__ == "Unavailable" for kind in type(error).__mro__):
        return StackError(_one_line(error), "make status shows what is down, make up starts it")
    return None


def _who(words: str, unknown: str = "a part of the shop") -> str:
    """Name the part whose port a driver's words hold."""
    with suppress(StackError):
        for name, port in Layout.local().ports.items():
            if re.search(rf"\b{port}\b", words):
                return f"{name.replace('_', '-')} (port {port})"
    return f"{unknown} ({_line(words)})" if words else unknown


def _said(error: BaseException) -> str:
    """Return a driver's words without its numbers."""
    return _line(" ".join(str(word) for word in error.args if isinstance(word, str)))


def _one_line(error: BaseException) -> str:
    return _line(str(error)) or type(error).__name__


def _line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN].rstrip(".")


def _kept(error: BaseException) -> Path | str:
    """Write the traceback where it can be looked up; the disk may be full."""
    path = LOCAL / "log" / "shop-errors.log"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as log:
            log.write("".join(traceback.format_exception(error)) + os.linesep)
        return path
    return "`python -X dev -m shop`, once there is room for its log"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

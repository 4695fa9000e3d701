"""A process that cannot start says so in a few lines, and not in a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from common_lib.settings.sources import SettingsNotRead

# EX_CONFIG of sysexits.h: whoever restarts processes sees that this one will not start by itself.
EXIT_CODE: Final = 78


class UnfitForStart(ValueError):
    """What a setting names, such as a key file, is not what it must be; the message says which."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """End the process with a readable message where settings or key files do not fit.

    No value is printed: it may be a secret.
    """
    try:
        yield
    except ValidationError as error:
        _end([_line(dict(found)) for found in error.errors(include_input=False, include_url=False)])
    except (SettingsError, SettingsNotRead, UnfitForStart) as error:
        _end([str(error)])


def _line(found: dict[str, object]) -> str:
    message = str(found["msg"]).removeprefix("Value error, ")
    place = found["loc"]
    if not isinstance(place, tuple) or not place:
        return message
    return f"SHOP_{str(place[0]).upper()}: {message}"


def _end(lines: list[str]) -> None:
    told = ["error: this process cannot start:", *"\n".join(lines).splitlines()]
    sys.stderr.write("\n  ".join(told) + "\n")
    sys.exit(EXIT_CODE)

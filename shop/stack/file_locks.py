"""One program at a time, by a lock on a file that ends with the program."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shop.stack.errors import StackError


@contextmanager
def only_one(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock; where it is taken wait for it, or raise StackError naming the holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                f"another `shop up` is at work (pid {file.read().strip() or 'unknown'})",
                "wait until it has finished",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

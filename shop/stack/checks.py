"""What a machine must have before the stack is started."""

import shutil
import sys
from pathlib import Path

from shop.stack import localstack, mysql
from shop.stack.errors import StackError
from shop.stack.layout import Layout

GIB = 2**30
FETCHING_NEEDS_BYTES = 2 * GIB
RUNNING_NEEDS_BYTES = GIB // 2


def refuse_small_disk(layout: Layout) -> None:
    """Raise StackError if the disk is too full for what is still to be fetched and written."""
    free, needed = free_bytes(layout.home), needed_bytes(layout)
    if free < needed:
        raise StackError(
            f"only {free / GIB:.1f} GB are free at {layout.home}, {needed / GIB:.1f} GB are needed",
            "make room on that disk",
        )


def needed_bytes(layout: Layout) -> int:
    fetched = localstack.is_fetched(layout) and mysql.is_fetched(layout)
    return RUNNING_NEEDS_BYTES if fetched else FETCHING_NEEDS_BYTES


def refuse_other_systems() -> None:
    if sys.platform != "linux":
        raise StackError(
            f"the stack without Docker needs Linux, and this is {sys.platform}",
            "start Docker, then STACK=docker make up",
        )


def free_bytes(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free

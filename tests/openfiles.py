"""What a process has open, mapped or written, as the kernel tells it."""

import os
from pathlib import Path

# Not files of a disk: devices, pipes, sockets, memory, the kernel's own.
ELSEWHERE = (
    *("/dev/", "/proc/", "/sys/", "/memfd:", "/[aio]", "/SYSV", "["),
    *("pipe:", "socket:", "anon_inode:"),
)


def held(pid: int) -> set[str]:
    """Return the files that the process has open or mapped."""
    return opened(pid) | mapped(pid)


def opened(pid: int, *, for_writing: bool = False) -> set[str]:
    """Return the files that it has open, or of these the ones that it may write to."""
    handles = Path("/proc", str(pid), "fd")
    found = set()
    for handle in handles.iterdir():
        # Some are closed again while we look.
        try:
            path, flags = str(handle.readlink()), _flags(pid, handle.name)
        except OSError:
            continue
        if not for_writing or flags & (os.O_WRONLY | os.O_RDWR):
            found.add(path)
    return _of_disks(found)


def mapped(pid: int) -> set[str]:
    rows = Path("/proc", str(pid), "maps").read_text().splitlines()
    columns = (row.split(maxsplit=5) for row in rows)
    return _of_disks({row[5] for row in columns if len(row) > 5})


def _flags(pid: int, number: str) -> int:
    rows = Path("/proc", str(pid), "fdinfo", number).read_text().splitlines()
    return int(next(row for row in rows if row.startswith("flags:")).split()[1], 8)


def _of_disks(paths: set[str]) -> set[str]:
    return {path.removesuffix(" (deleted)") for path in paths if not path.startswith(ELSEWHERE)}

"""What the event loop does not tell about a socket."""

import asyncio
import ctypes
import fcntl
import os
import select
import socket
import struct
import termios
from typing import Final

# A classic BPF program (linux/filter.h) on a TCP header: drop what has SYN set, keep the rest.
_INSTRUCTION: Final = struct.Struct("HBBI")
_PROGRAM: Final = b"".join(
    _INSTRUCTION.pack(*instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # A = flags
        (0x45, 0, 1, 0x02),  # SYN set? else skip one
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # keep
    )
)
_COUNT: Final = struct.Struct("i")
_ATTACH_FILTER: Final = getattr(socket, "SO_ATTACH_FILTER", 26)


def ignore_new_connections(listener: socket.socket) -> None:
    """Let nobody else into the queue of connections that wait to be accepted.

    To close a listener resets those in its queue, whose clients think that they are connected. With
    their SYN dropped, newcomers try again after a second, find nobody listening and are refused;
    who is in the queue can be accepted first. Raises OSError where there are no socket filters.
    """
    program = ctypes.create_string_buffer(_PROGRAM)
    count = len(_PROGRAM) // _INSTRUCTION.size
    option = struct.pack("HL", count, ctypes.addressof(program))
    # The event loop's own stand-in for a socket takes no options: ask by a duplicate of it.
    with socket.socket(fileno=os.dup(listener.fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, option)


def has_news(transport: asyncio.BaseTransport) -> bool:
    """Say whether the other side has sent or ended something that the loop has not read yet."""
    found = transport.get_extra_info("socket")
    return found is None or is_readable(found)


def is_readable(found: socket.socket) -> bool:
    """Say whether there is something to read, the end included, or somebody to accept."""
    if found.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(found.fileno(), select.POLLIN | select.POLLRDHUP)
    return bool(poll.poll(0))


def unacknowledged_bytes(transport: asyncio.WriteTransport) -> int:
    """Return how much of what was written the other side has not acknowledged; 0 if unknown."""
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return 0
    try:
        # tcp(7), SIOCOUTQ: the send queue, from the first byte that is not acknowledged.
        answer = fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, b"\0" * _COUNT.size)
    except OSError:
        return 0
    return int(_COUNT.unpack(answer)[0]) + transport.get_write_buffer_size()

"""What becomes of connections and requests when a process is told to stop."""

import asyncio
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common_lib.sockets import ignore_new_connections
from shop.stack.ports import LOOPBACK
from tests.waiting import eventually

PROGRAM = """
import asyncio
from starlette.responses import Response, StreamingResponse
from common_lib.runtime import HotRoute, create_app, serve
from common_lib.settings import ServiceSettings

go_on = asyncio.Event()

async def at_once(request):
    return Response(b"done")

async def never(request):
    await asyncio.Event().wait()

async def in_pieces(request):
    async def pieces():
        yield b"begun"
        await go_on.wait()
        yield b", ended"
    return StreamingResponse(pieces())

async def end_pieces(request):
    go_on.set()
    return Response(b"set")

routes = [HotRoute("/at-once", at_once), HotRoute("/never", never),
          HotRoute("/in-pieces", in_pieces), HotRoute("/end-pieces", end_pieces)]
serve(create_app(ServiceSettings(), "test", routes=routes), ServiceSettings())
"""
# As a kernel, a sandbox or a limit of an ordinary user may: no socket option of that number exists.
WITHOUT_FILTERS = "import socket; socket.SO_ATTACH_FILTER = 9999"
FILTERS_REFUSED = "this machine refuses socket filters"
ACCEPT_ALL = struct.pack("HBBI", 0x06, 0, 0, 0xFFFFFFFF)
ROOT = Path(__file__).parents[3]


@dataclass
class Talk:
    """A bare connection to the process."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, path: str) -> tuple[int, bytes, bytes]:
        """Send a request and return status, head and body of its answer."""
        self.writer.write(b"GET %s HTTP/1.1\r\nHost: s\r\n\r\n" % path.encode())
        return await self.answer()

    async def begin(self, program: "Program", raw: bytes) -> None:
        """Have the process read this of a request, and then stop."""
        self.writer.write(raw)
        await self.writer.drain()
        await eventually(program.is_up)
        program.stop()

    async def answer(self) -> tuple[int, bytes, bytes]:
        async with asyncio.timeout(15):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(head.split()[1]), head, await self.reader.readexactly(length)


@dataclass
class Program:
    port: int
    process: asyncio.subprocess.Process

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Talk]:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            yield Talk(reader, writer)
        finally:
            writer.close()

    async def says(self, path: str) -> int:
        try:
            async with self.connect() as talk:
                return (await talk.ask(path))[0]
        except ConnectionRefusedError:
            return 0

    async def is_up(self) -> bool:
        return await self.says("/livez") == 200

    async def refuses(self) -> bool:
        return await self.says("/livez") == 0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exit_status(self) -> int:
        async with asyncio.timeout(15):
            return await self.process.wait()


Start = Callable[..., Awaitable[Program]]


@pytest.fixture
async def start(unused_tcp_port: int) -> AsyncIterator[Start]:
    """Return a starter of the program, with times for its end; it is killed after the test."""
    running: list[asyncio.subprocess.Process] = []

    async def started(
        *, announce: float = 0, idle: float = 0.5, grace: float = 10, prelude: str = ""
    ) -> Program:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", f"{prelude}\n{PROGRAM}"),
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SHOP_PORT": str(unused_tcp_port),
                "SHOP_SHUTDOWN_ANNOUNCE_S": str(announce),
                "SHOP_SHUTDOWN_IDLE_S": str(idle),
                "SHOP_SHUTDOWN_GRACE_S": str(grace),
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        running.append(process)
        program = Program(unused_tcp_port, process)
        await eventually(program.is_up, what="the program")
        return program

    yield started
    for process in running:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_first_it_is_not_ready_and_still_serves(start: Start) -> None:
    program = await start(announce=3)
    assert await program.says("/readyz") == 200
    program.stop()

    async def is_not_ready() -> bool:
        return await program.says("/readyz") == 503

    await eventually(is_not_ready, what="the announcement")
    async with program.connect() as talk:
        status, head, body = await talk.ask("/at-once")
    assert (status, body) == (200, b"done")
    assert b"connection: close" in head
    await eventually(program.refuses, what="the end of the announcement")
    assert await program.exit_status() == 0


@pytest.mark.parametrize("prelude", ["", WITHOUT_FILTERS], ids=["", "socket filters refused"])
async def test_who_waits_to_be_accepted_is_answered(start: Start, prelude: str) -> None:
    """The process stands still while they connect; when it goes on, its end is the first news."""
    program = await start(prelude=prelude)
    os.kill(program.process.pid, signal.SIGSTOP)
    async with asyncio.timeout(15):
        waiting = [await asyncio.open_connection(LOOPBACK, program.port) for _ in range(50)]
    for _, writer in waiting:
        writer.write(b"GET /at-once HTTP/1.1\r\nHost: s\r\n\r\n")
    program.stop()
    os.kill(program.process.pid, signal.SIGCONT)

    answers = [await Talk(*streams).answer() for streams in waiting]
    for _, writer in waiting:
        writer.close()

    assert [(status, body) for status, _, body in answers] == [(200, b"done")] * 50
    assert await program.exit_status() == 0


def why_filters_are_refused() -> OSError | None:
    """Ask the kernel for a socket filter that does nothing, as root or as who we are."""
    program = ctypes.create_string_buffer(ACCEPT_ALL)
    option = struct.pack("HL", 1, ctypes.addressof(program))
    with socket.socket() as tried:
        try:
            tried.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_ATTACH_FILTER", 26), option)
        except OSError as refusal:
            return refusal
    return None


@pytest.mark.filterwarnings(f"default:{FILTERS_REFUSED}")
def test_newcomers_are_refused_and_not_cut_off_when_a_listener_closes() -> None:
    refusal = why_filters_are_refused()
    if refusal is None:
        newcomers_are_refused()
    else:
        warnings.warn(f"{FILTERS_REFUSED} ({refusal}): newcomers are cut off here", stacklevel=1)
        newcomers_are_cut_off(refusal)


def newcomers_are_cut_off(refusal: OSError) -> None:
    """What is left to promise without filters: it is said, and who is in the queue is taken."""
    with (
        socket.create_server((LOOPBACK, 0)) as listener,
        socket.create_connection(listener.getsockname()) as early,
    ):
        with pytest.raises(OSError, match=os.strerror(refusal.errno or 0)):
            ignore_new_connections(listener)
        accepted, _ = listener.accept()
        with accepted:
            listener.close()
            accepted.sendall(b"here")
            assert early.recv(10) == b"here"


def newcomers_are_refused() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener, socket.socket() as late:
        address = listener.getsockname()
        with socket.create_connection(address) as early:
            ignore_new_connections(listener)
            late.setblocking(False)
            assert late.connect_ex(address) == errno.EINPROGRESS
            accepted, _ = listener.accept()
            with accepted:
                listener.setblocking(False)
                with pytest.raises(BlockingIOError):
                    listener.accept()
                listener.close()
                accepted.sendall(b"here")
                assert early.recv(10) == b"here"

        poll = select.poll()
        poll.register(late, select.POLLOUT)
        assert poll.poll(10_000)
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


async def test_a_connection_at_rest_is_good_for_one_more_request(start: Start) -> None:
    program = await start(idle=5)
    async with program.connect() as used, program.connect() as new:
        assert b"connection: close" not in (await used.ask("/at-once"))[1]
        program.stop()
        await eventually(program.refuses, what="the listener to close")

        for talk in (used, new):
            status, head, _ = await talk.ask("/at-once")
            assert status == 200
            assert b"connection: close" in head
            assert await talk.reader.read() == b""
        # Nobody is left to wait for.
        async with asyncio.timeout(2):
            assert await program.exit_status() == 0


async def test_a_connection_that_stays_at_rest_is_closed(start: Start) -> None:
    program = await start()
    async with program.connect() as used, program.connect() as new:
        await used.ask("/at-once")
        program.stop()

        assert await used.reader.read() == await new.reader.read() == b""
        assert await program.exit_status() == 0


async def test_a_request_that_has_begun_to_come_is_answered(start: Start) -> None:
    program = await start(idle=0)
    async with program.connect() as talk:
        await talk.begin(program, b"GET /at-once HTTP/1.1\r\nHost")
        await eventually(program.refuses, what="the listener to close")

        talk.writer.write(b": s\r\n\r\n")
        assert (await talk.answer())[0] == 200
    assert await program.exit_status() == 0


async def test_an_answer_that_had_begun_ends_whole_and_one_more_is_given(start: Start) -> None:
    """Its head could not say that the connection ends: the client may send again at once."""
    program = await start(idle=3)
    async with program.connect() as talk, program.connect() as other:
        talk.writer.write(b"GET /in-pieces HTTP/1.1\r\nHost: s\r\n\r\n")
        head = await talk.reader.readuntil(b"begun\r\n")
        program.stop()
        await eventually(program.refuses, what="the listener to close")
        await other.ask("/end-pieces")
        rest = await talk.reader.readuntil(b"0\r\n\r\n")

        status, second_head, _ = await talk.ask("/at-once")

    assert b"connection: close" not in head.lower()
    assert b", ended" in rest
    assert status == 200
    assert b"connection: close" in second_head
    assert await program.exit_status() == 0


async def test_who_takes_longer_than_the_grace_is_cut_off(start: Start) -> None:
    program = await start(grace=0.5)
    async with program.connect() as talk:
        await talk.begin(program, b"GET /never HTTP/1.1\r\nHost: s\r\n\r\n")

        assert b" 200 " not in await talk.reader.read()
        assert await program.exit_status() == 0

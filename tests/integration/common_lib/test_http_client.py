"""Calls over real sockets: what is repeated, what is not, and how long it may all take."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from common_lib.errors import Unavailable
from common_lib.http_client import CallTimedOut, CircuitOpen, HttpClient, deadline
from tests.serving import listening
from tests.waiting import eventually

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Answerer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that counts requests and answers them as told."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    def has_had(self, number: int) -> bool:
        return len(self.requests) == number

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head)
                await self.answer(writer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


@asynccontextmanager
async def peer(answer: Answerer) -> AsyncIterator[Peer]:
    it = Peer(answer)
    async with listening(it.serve) as port:
        it.url = f"http://127.0.0.1:{port}"
        yield it


@asynccontextmanager
async def client_of(*urls: str, timeout_s: float = 3) -> AsyncIterator[HttpClient]:
    client = HttpClient("peer", urls, timeout_s=timeout_s)
    yield client
    await client.close()


async def say_ok(writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half_an_answer(writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])
    await writer.drain()
    writer.close()


async def say_ok_and_hang_up(writer: asyncio.StreamWriter) -> None:
    await say_ok(writer)
    writer.close()


async def say_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()
    del writer


@pytest.mark.parametrize("answer", [hang_up, half_an_answer])
async def test_a_post_that_may_have_been_sent_is_not_sent_again(answer: Answerer) -> None:
    async with peer(answer) as server, client_of(server.url, server.url) as client:
        with pytest.raises(Unavailable):
            await client.request("POST", "/x")

    assert len(server.requests) == 1


async def test_an_idempotent_call_is_repeated_once_at_the_next_address() -> None:
    async with (
        peer(hang_up) as bad,
        peer(say_ok) as good,
        client_of(bad.url, good.url) as client,
    ):
        answer = await client.request("GET", "/x", is_idempotent=True)

    assert (answer.status, len(bad.requests), len(good.requests)) == (200, 1, 1)


async def test_a_post_goes_to_the_next_address_when_nobody_listens_at_the_first() -> None:
    async with peer(say_ok) as good, client_of("http://127.0.0.1:9", good.url) as client:
        answers = [await client.request("POST", "/x") for _ in range(4)]

    assert [answer.status for answer in answers] == [200] * 4
    assert len(good.requests) == 4


async def test_posts_over_connections_the_server_closes_are_each_sent_once() -> None:
    async with peer(say_ok_and_hang_up) as server, client_of(server.url) as client:
        for number in range(30):
            with contextlib.suppress(Unavailable):
                await client.request("POST", f"/{number}")

    lines = [head.split(b"\r\n")[0] for head in server.requests]
    assert len(lines) == len(set(lines)) >= 15


async def test_a_connection_is_used_again() -> None:
    async with peer(say_ok) as server, client_of(server.url) as client:
        for _ in range(10):
            await client.request("GET", "/x")

    assert server.connections == 1


async def test_a_call_ends_in_time_and_the_next_one_gets_its_own_answer() -> None:
    async with peer(say_nothing) as server, client_of(server.url, timeout_s=0.2) as client:
        with pytest.raises(CallTimedOut):
            await client.request("GET", "/x", is_idempotent=True)
        server.answer = say_ok
        assert (await client.request("GET", "/x")).status == 200

    assert server.connections == 2


async def test_the_repetition_shares_the_time_of_the_call() -> None:
    async def hang_up_late(writer: asyncio.StreamWriter) -> None:
        await asyncio.wait_for(asyncio.shield(may_hang_up.wait()), 5)
        writer.transport.abort()

    may_hang_up = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, may_hang_up.set)
    async with (
        peer(hang_up_late) as late,
        peer(say_nothing) as mute,
        client_of(late.url, mute.url, timeout_s=0.8) as client,
    ):
        started = time.monotonic()
        with pytest.raises(CallTimedOut):
            await client.request("GET", "/x", is_idempotent=True)

    assert len(mute.requests) == 1
    assert time.monotonic() - started < 1.2


async def test_the_callers_deadline_ends_a_call() -> None:
    async with peer(say_nothing) as server, client_of(server.url) as client:
        token = deadline.set(time.monotonic() + 0.2)
        try:
            with pytest.raises(CallTimedOut):
                await client.request("GET", "/x")
        finally:
            deadline.reset(token)


async def test_cancelled_calls_open_no_circuit() -> None:
    async with peer(say_nothing) as server, client_of(server.url) as client:
        for number in range(1, 9):
            call = asyncio.create_task(client.request("GET", "/x"))
            await eventually(partial(server.has_had, number))
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        server.answer = say_ok

        assert (await client.request("GET", "/x")).status == 200


async def test_failures_in_a_row_open_the_circuit() -> None:
    async with peer(hang_up) as server, client_of(server.url) as client:
        for _ in range(5):
            with contextlib.suppress(Unavailable):
                await client.request("POST", "/x")
        with pytest.raises(CircuitOpen):
            await client.request("POST", "/x")

    assert len(server.requests) == 5


async def test_an_address_that_refuses_costs_no_call_however_many_there_are(
    unused_tcp_port: int,
) -> None:
    """Nothing is repeated: what was refused never left, so no budget is spent on it."""
    away = f"http://127.0.0.1:{unused_tcp_port}"
    async with peer(say_ok) as there, client_of(away, there.url) as client:
        client._retry_credit = 0
        posts = [client.request("POST", "/things", json={}) for _ in range(40)]
        answers = await asyncio.gather(*posts)

    assert [answer.status for answer in answers] == [200] * 40
    assert len(there.requests) == 40

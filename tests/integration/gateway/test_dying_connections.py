"""Each way in which a kept connection to a service can die: between, during and after a request.

What certainly was not begun is sent again on a fresh connection, by whatever method; for the rest
the client is told that nobody knows.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from gateway.connection import ClientLink, Connection
from gateway.pool import Call
from gateway.pool import Upstream as Pool
from tests.integration.gateway.harness import Answer, Door, Request, Script, Upstream, answer
from tests.serving import listening
from tests.waiting import eventually

ORDERS = "/api/orders"
Death = Callable[[Upstream], None]
Loop = Callable[[], asyncio.AbstractEventLoop]


def _sockets(upstream: Upstream) -> list[socket.socket]:
    found = [writer.get_extra_info("socket") for writer in upstream.writers]
    return [socket.socket(fileno=os.dup(each.fileno())) for each in found]


def end(upstream: Upstream) -> None:
    """End all connections at once, without the event loop: nobody can have noticed yet."""
    for each in _sockets(upstream):
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def say(words: bytes) -> Death:
    def death(upstream: Upstream) -> None:
        for each in _sockets(upstream):
            each.sendall(words)
            each.close()

    return death


def say_and_end(words: bytes) -> Death:
    def death(upstream: Upstream) -> None:
        say(words)(upstream)
        end(upstream)

    return death


def reset(upstream: Upstream) -> None:
    upstream.drop_connections()


async def post(door: Door) -> Answer:
    return await door.ask(ORDERS, method="POST", body=b"{}")


TIMED_OUT = answer(b"", "408 Request Timeout", b"connection: close\r\n")
IDLE_DEATHS = [
    pytest.param(end, id="FIN"),
    pytest.param(reset, id="RST"),
    pytest.param(say(b"x"), id="a stray byte"),
    pytest.param(say(answer(b"poison")), id="an answer to nothing"),
    pytest.param(say(TIMED_OUT), id="408 unasked"),
    pytest.param(say_and_end(TIMED_OUT), id="408 unasked and FIN"),
]


@pytest.mark.parametrize("death", IDLE_DEATHS)
async def test_a_post_never_meets_a_connection_that_died_at_rest(
    door: Door, upstream: Upstream, death: Death
) -> None:
    assert (await post(door)).status == 200
    death(upstream)
    given = await post(door)

    assert (given.status, given.body) == (200, b'{"ok":true}')
    assert len(upstream.requests) == 2


@pytest.fixture
def just_before_sending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Return what arms one blow, dealt when a request's connection is chosen and not yet used."""
    blows: list[Callable[[], None]] = []
    send = Connection.send

    def struck(self: Connection, *given: Any, **named: Any) -> None:
        if blows:
            blows.pop()()
        send(self, *given, **named)

    monkeypatch.setattr(Connection, "send", struck)
    return blows.append


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET"])
@pytest.mark.parametrize("death", [end, say_and_end(TIMED_OUT)], ids=["FIN", "408 and FIN"])
async def test_a_request_that_crosses_the_end_of_a_rest_is_sent_once_more(
    door: Door,
    upstream: Upstream,
    just_before_sending: Callable[[Callable[[], None]], None],
    death: Death,
    method: str,
) -> None:
    """The server's keep-alive time-out races with the request: it was not read, so it is sent."""
    assert (await post(door)).status == 200
    just_before_sending(lambda: death(upstream))
    given = await door.ask(ORDERS, method=method, body=b"{}")

    assert given.status == 200
    assert (len(upstream.requests), upstream.connections) == (2, 2)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_post_to_a_door_that_has_just_closed_is_sent_again_on_either_loop(
    just_before_sending: Callable[[Callable[[], None]], None], loop: Loop
) -> None:
    async def scene() -> int:
        heard: list[bytes] = []
        ends: list[socket.socket] = []
        gone: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends.append(writer.get_extra_info("socket"))
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    heard.append(await reader.readuntil(b"\r\n\r\n"))
                    writer.write(answer())
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            gone.append(writer)

        async with listening(serve) as port:
            pool = Pool("orders", [f"http://127.0.0.1:{port}"])
            for _ in range(2):
                if ends:
                    just_before_sending(lambda: _shut(ends[0]))
                call = Call(b"POST / HTTP/1.1\r\n", b"\r\n", float("inf"), is_idempotent=False)
                connection = await pool.exchange(call, ClientLink())
                await connection.whole_body()
                connection.release()
            pool.close()
            await eventually(lambda: len(gone) == 2, what="both connections to be gone")
        return len(heard)

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(scene()) == 2


def _shut(found: socket.socket) -> None:
    with socket.socket(fileno=os.dup(found.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


async def test_a_service_that_closes_every_connection_unread_is_asked_twice_and_no_more(
    door: Door, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await post(door)).status == 200
    send, blows = Connection.send, []

    def struck(self: Connection, *given: Any, **named: Any) -> None:
        blows.append(self)
        end(upstream)
        send(self, *given, **named)

    monkeypatch.setattr(Connection, "send", struck)
    given = await post(door)

    given.assert_problem(503, "upstream_unavailable")
    assert "outcome" not in given.json()  # certainly nothing was begun
    assert len(upstream.requests) == 1
    assert len(blows) <= 3


# During a request


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    del request
    writer.close()


async def hang_up_hard(request: Request, writer: asyncio.StreamWriter) -> None:
    del request
    writer.transport.abort()


def saying(words: bytes, then: Callable[[asyncio.StreamWriter], object]) -> Script:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        writer.write(words)
        await writer.drain()
        then(writer)

    return script


def stay(writer: asyncio.StreamWriter) -> None:
    del writer


def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


WHOLE = answer(b'{"ok":true}')
UNKNOWN = [
    pytest.param(hang_up, id="read and FIN"),
    pytest.param(hang_up_hard, id="read and RST"),
    pytest.param(saying(b"HTTP/1.1 201 Cre", close), id="half a head"),
    pytest.param(saying(WHOLE[:-4], close), id="half a body"),
    pytest.param(saying(b"HTTP/1.1 103 Early Hints\r\n\r\n", close), id="1xx and FIN"),
    pytest.param(saying(b"\x16\x03\x01 what?\r\n\r\n", stay), id="no HTTP"),
]


@pytest.mark.parametrize("is_kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("script", UNKNOWN)
async def test_a_post_whose_answer_is_lost_is_sent_once_and_its_outcome_called_unknown(
    door: Door, upstream: Upstream, script: Script, is_kept: bool
) -> None:
    if is_kept:
        assert (await post(door)).status == 200
    upstream.requests.clear()
    upstream.script = script
    given = await post(door)

    given.assert_problem(503, "upstream_unavailable")
    assert given.json()["outcome"] == "unknown"
    assert "not known" in given.json()["detail"]
    assert len(upstream.requests) == 1


async def test_a_service_that_takes_a_post_and_says_nothing_leaves_its_outcome_unknown(
    door: Door, upstream: Upstream
) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del writer
        assert await request.reader.read() == b""

    upstream.script = script
    given = await door.ask(
        ORDERS, method="POST", body=b"{}", headers="X-Request-Timeout-Ms: 200\r\n"
    )

    given.assert_problem(503, "upstream_timeout")
    assert given.json()["outcome"] == "unknown"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("script", [hang_up, hang_up_hard])
async def test_a_read_whose_answer_is_lost_twice_is_no_mystery(
    door: Door, upstream: Upstream, script: Script
) -> None:
    upstream.script = script
    given = await door.ask()

    given.assert_problem(503, "upstream_unavailable")
    assert "outcome" not in given.json()
    assert len(upstream.requests) == 2


async def test_an_answer_until_the_end_of_the_connection_is_not_whole_when_that_was_a_reset(
    door: Door, upstream: Upstream
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        writer.write(head + b'{"orders":[')
        await writer.drain()
        await asyncio.wait_for(has_begun(), 10)
        found = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def has_begun() -> None:
        await eventually(lambda: any(c.has_answered for c in active()), what="the head to arrive")

    def active() -> list[Connection]:
        return [c for address in door._addresses() for c in address.active]

    upstream.script = script
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
        await door.ask()


# After an answer


async def relayed(door: Door, upstream: Upstream, script: Script) -> Answer:
    upstream.script = script
    return await post(door)


AFTER = [
    pytest.param(saying(WHOLE, close), id="FIN that was not announced"),
    pytest.param(saying(WHOLE, lambda w: w.transport.abort()), id="RST"),
    pytest.param(
        saying(answer(b'{"ok":true}', headers=b"connection: close\r\n"), close), id="announced FIN"
    ),
    pytest.param(
        saying(answer(b'{"ok":true}', headers=b"connection: close\r\n"), stay),
        id="announced and not done",
    ),
    pytest.param(saying(WHOLE + b"more than promised", stay), id="longer than its length"),
    pytest.param(saying(WHOLE + answer(b"poison"), stay), id="two answers"),
    pytest.param(saying(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, stay), id="100 before it"),
    pytest.param(
        saying(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + WHOLE, stay), id="103 before it"
    ),
    pytest.param(saying(b"HTTP/1.0 200 OK\r\ncontent-length: 11\r\n\r\n" + WHOLE[-11:], close)),
]


@pytest.mark.parametrize("script", AFTER)
async def test_after_an_answer_whatever_becomes_of_its_connection_the_next_post_is_served(
    door: Door, upstream: Upstream, script: Script
) -> None:
    for _ in range(5):
        given = await relayed(door, upstream, script)
        assert (given.status, given.body) == (200, b'{"ok":true}')
        assert "link" not in given.headers

    assert len(upstream.requests) == 5


@pytest.mark.parametrize("headers", [b"connection: close\r\n", b"Connection: Close\r\n"])
async def test_an_end_announced_in_an_answer_to_head_is_believed(
    door: Door, upstream: Upstream, headers: bytes
) -> None:
    head = answer(b"", headers=headers).replace(b"length: 0", b"length: 11")
    upstream.script = saying(head, stay)
    for _ in range(2):
        assert (await door.ask(method="HEAD")).status == 200

    assert upstream.connections == 2


async def test_a_restart_between_requests_costs_none(door: Door, upstream: Upstream) -> None:
    async def wave(ask: Callable[[Door], Awaitable[Answer]]) -> list[int]:
        return [given.status for given in await asyncio.gather(*(ask(door) for _ in range(20)))]

    assert await wave(post) == [200] * 20
    await upstream.stop()
    await upstream.start(upstream.port)

    assert await wave(post) == [200] * 20

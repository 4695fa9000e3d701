"""Services that are away, slow, stale or broken, and clients that leave."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from common_lib.auth import Role
from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Door,
    Request,
    Upstream,
    answer,
    answering_after,
    open_door,
    token,
)
from tests.waiting import eventually


def catalog_at(settings: GatewaySettings, *urls: str, **more: object) -> GatewaySettings:
    return settings.model_copy(update={"catalog_url": urls, **more})


async def test_a_service_that_is_away_is_503(
    settings: GatewaySettings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    away = catalog_at(settings, f"http://127.0.0.1:{unused_tcp_port_factory()}")
    async with open_door(away) as door:
        given = await door.ask()

    given.assert_problem(503, "upstream_unavailable")
    assert given.headers["retry-after"] == "1"


async def test_the_circuit_opens_and_closes_again(
    settings: GatewaySettings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port = unused_tcp_port_factory()
    returning = Upstream()
    async with open_door(catalog_at(settings, f"http://127.0.0.1:{port}")) as door:
        codes = [(await door.ask()).json()["code"] for _ in range(8)]
        assert codes[0] == "upstream_unavailable"
        assert codes[-1] == "circuit_open"
        assert (await door.ask("/api/orders")).status == 200

        await returning.start(port)

        async def works_again() -> bool:
            return (await door.ask()).status == 200

        await eventually(works_again, what="the circuit to close")
    await returning.stop()


async def test_a_service_that_dies_under_a_post_is_not_asked_twice(
    door: Door, upstream: Upstream
) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        writer.transport.abort()

    upstream.script = script
    given = await door.ask("/api/orders", method="POST", body=b"{}")

    given.assert_problem(503, "upstream_unavailable")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(("condition", "times"), [("", 2), ('If-Match: "1"\r\n', 1)])
async def test_a_write_on_a_condition_is_not_made_twice(
    door: Door, upstream: Upstream, condition: str, times: int
) -> None:
    """The second would meet its own first, and answer 412 for what has been done."""

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        writer.transport.abort()

    upstream.script = script
    given = await door.ask("/api/products/1", method="PUT", body=b"{}", headers=condition)

    given.assert_problem(503, "upstream_unavailable")
    assert len(upstream.requests) == times


async def test_a_stale_connection_is_replaced_for_a_get(door: Door, upstream: Upstream) -> None:
    """The service closes the idle connection just as the request goes over it."""

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.connection == 1 and len(upstream.requests) > 1:
            writer.transport.abort()
        else:
            writer.write(answer())

    upstream.script = script

    assert [(await door.ask()).status for _ in range(3)] == [200, 200, 200]
    assert upstream.connections == 2


async def test_connections_closed_while_idle_are_never_used(door: Door, upstream: Upstream) -> None:
    for _ in range(5):
        assert (await door.ask("/api/orders", method="POST", body=b"{}")).status == 200
        upstream.drop_connections()
        await eventually(lambda: not door.resting(), what="the gateway to notice")

    assert len(upstream.requests) == 5


async def test_what_a_service_says_unasked_is_nobodys_answer(
    door: Door, upstream: Upstream
) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(request.line.split()[1]))
        await writer.drain()
        await eventually(door.resting, what="the connection to rest")
        writer.write(answer(b"poison"))

    upstream.script = script
    assert (await door.ask("/api/products/1")).body == b"/api/products/1"
    await eventually(lambda: not door.resting(), what="the connection to be dropped")

    assert (await door.ask("/api/products/2")).body == b"/api/products/2"


async def test_requests_go_round_and_leave_out_who_is_down(
    settings: GatewaySettings, upstream: Upstream, second: Upstream
) -> None:
    async with open_door(catalog_at(settings, upstream.url, second.url)) as door:
        for _ in range(10):
            assert (await door.ask()).status == 200
        assert len(upstream.requests) == len(second.requests) == 5

        await second.stop()
        statuses = [(await door.ask()).status for _ in range(20)]

    assert statuses == [200] * 20


async def test_a_post_finds_another_address_when_one_refuses_the_connection(
    settings: GatewaySettings, upstream: Upstream, second: Upstream
) -> None:
    both = settings.model_copy(update={"order_url": (second.url, upstream.url)})
    async with open_door(both) as door:
        await second.stop()
        statuses = [
            (await door.ask("/api/orders", method="POST", body=b"{}")).status for _ in range(6)
        ]

    assert statuses == [200] * 6
    assert len(upstream.requests) == 6


async def test_a_service_that_does_not_answer_in_time_is_503(
    settings: GatewaySettings, upstream: Upstream
) -> None:
    never = asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        del request, writer
        await never.wait()

    upstream.script = script
    async with open_door(settings.model_copy(update={"upstream_timeout_s": 0.3})) as door:
        given = await door.ask()

    given.assert_problem(503, "upstream_timeout")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n",
    ],
)
async def test_an_answer_that_cannot_be_read_is_503(
    door: Door, upstream: Upstream, garbage: bytes
) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)

    upstream.script = script

    (await door.ask()).assert_problem(503, "upstream_unavailable")


@pytest.mark.parametrize(
    "framing", [b"content-length: 200000\r\n", b"transfer-encoding: chunked\r\n"]
)
async def test_an_answer_that_breaks_off_never_looks_whole(
    door: Door, upstream: Upstream, framing: bytes
) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n%s\r\n5\r\nhello\r\n" % framing)
        await writer.drain()
        writer.transport.close()

    upstream.script = script
    async with door.connect() as client:
        await client.send(b"GET /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
            await client.answer()


@pytest.fixture
async def blind(settings: GatewaySettings, unused_tcp_port: int) -> AsyncIterator[Door]:
    """A gateway whose Redis is away."""
    nowhere = {"redis_url": f"redis://127.0.0.1:{unused_tcp_port}/0"}
    async with open_door(settings.model_copy(update=nowhere)) as door:
        yield door


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SELLER])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_without_redis_the_powerful_change_nothing(
    blind: Door, upstream: Upstream, role: Role, method: str
) -> None:
    given = await blind.ask(method=method, body=b"{}", bearer=token(role=role))

    given.assert_problem(503, "revocation_unknown")
    assert given.headers["retry-after"] == "1"
    assert upstream.requests == []


@pytest.mark.parametrize("role", list(Role))
async def test_without_redis_everybody_may_look(blind: Door, role: Role) -> None:
    for method in ("GET", "HEAD"):
        assert (await blind.ask(method=method, bearer=token(role=role))).status == 200


async def test_without_redis_customers_go_on(blind: Door, upstream: Upstream) -> None:
    given = await blind.ask("/api/orders", method="POST", body=b"{}", bearer=token())

    assert given.status == 200
    assert len(upstream.requests) == 1


async def test_a_client_that_leaves_frees_the_service(door: Door, upstream: Upstream) -> None:
    is_cut = asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await eventually(request.reader.at_eof, what="the end of the connection")
        is_cut.set()
        writer.close()

    upstream.script = script
    async with door.connect() as client:
        await client.send(b"GET /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
        await eventually(lambda: upstream.requests, what="the request")

    await asyncio.wait_for(is_cut.wait(), 10)
    await eventually(lambda: door.gateway.in_flight == 0, what="the exchange to end")


async def test_too_many_in_flight_are_turned_away(
    settings: GatewaySettings, upstream: Upstream
) -> None:
    go_on = asyncio.Event()
    upstream.script = answering_after(go_on)
    async with open_door(settings.model_copy(update={"max_in_flight": 3})) as door:
        asked = [asyncio.create_task(door.ask()) for _ in range(3)]
        await eventually(lambda: len(upstream.requests) == 3, what="three in flight")
        turned_away = await door.ask()
        go_on.set()
        served = await asyncio.gather(*asked)

    turned_away.assert_problem(503, "overloaded")
    assert [given.status for given in served] == [200] * 3


WHOLE = {
    "length": answer(b'{"items":[1,2,3]}', "200 OK", b"x-a: 1\r\n"),
    "chunks": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("kind", list(WHOLE))
async def test_an_answer_in_any_two_pieces_is_the_same_answer(
    door: Door, upstream: Upstream, kind: str
) -> None:
    whole = WHOLE[kind]
    expected = None
    for cut in range(1, len(whole)):

        async def script(_: Request, writer: asyncio.StreamWriter, cut: int = cut) -> None:
            writer.write(whole[:cut])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            writer.write(whole[cut:])

        upstream.script = script
        given = await door.ask()
        expected = expected or given.body
        assert (given.status, given.body) == (200, expected), cut
    assert upstream.connections == 1


@pytest.mark.parametrize("kind", list(WHOLE))
async def test_an_answer_cut_off_at_any_byte_never_looks_whole(
    door: Door, upstream: Upstream, kind: str
) -> None:
    whole = WHOLE[kind]
    for cut in range(len(whole) - 1):

        async def script(_: Request, writer: asyncio.StreamWriter, cut: int = cut) -> None:
            writer.write(whole[:cut])
            writer.close()

        upstream.script = script
        door.close_circuits()
        try:
            given = await door.ask()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            continue
        assert given.status == 503, cut

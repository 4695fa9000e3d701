"""Several addresses of one service: who is left out, who comes back, what opens the circuit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from common_lib.http_client import BreakerState
from gateway.pool import Address
from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Answer,
    Door,
    Request,
    Upstream,
    answer,
    answering_after,
    open_door,
)
from tests.waiting import eventually

PATIENCE_S = 0.3


@pytest.fixture
async def both(
    settings: GatewaySettings, upstream: Upstream, second: Upstream
) -> AsyncIterator[Door]:
    """A gateway with two catalogs, which waits but a moment for an answer."""
    change = {"catalog_url": (upstream.url, second.url), "upstream_timeout_s": PATIENCE_S}
    async with open_door(settings.model_copy(update=change)) as door:
        yield door


async def say_nothing(_: Request, writer: asyncio.StreamWriter) -> None:
    del writer
    await asyncio.Event().wait()


async def hang_up(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def say_goodbye(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(headers=b"connection: close\r\n"))


def addresses(door: Door) -> tuple[Address, ...]:
    return door.gateway.upstreams["catalog"].addresses


async def test_an_address_that_falls_silent_is_left_out_until_it_is_ready(
    both: Door, upstream: Upstream, second: Upstream
) -> None:
    second.script, second.is_ready = say_nothing, False
    while not addresses(both)[1].is_out:
        await both.ask()
    asked = len(second.requests)
    assert asked == 3

    assert [(await both.ask()).status for _ in range(10)] == [200] * 10
    assert len(second.requests) == asked

    second.forget()
    await eventually(lambda: not addresses(both)[1].is_out, what="the address to come back")
    assert [(await both.ask()).status for _ in range(4)] == [200] * 4
    assert len(second.requests) == 2
    assert len(upstream.requests) >= 12


async def test_an_address_that_hangs_up_costs_no_get_and_is_left_out(
    both: Door, second: Upstream
) -> None:
    second.script, second.is_ready = hang_up, False

    assert [(await both.ask()).status for _ in range(20)] == [200] * 20
    assert len(second.requests) == 3


async def test_an_address_that_refuses_comes_back_when_it_listens_again(
    both: Door, second: Upstream
) -> None:
    port = second.port
    await second.stop()
    assert [(await both.ask()).status for _ in range(4)] == [200] * 4
    assert addresses(both)[1].is_out

    await second.start(port)
    await eventually(lambda: not addresses(both)[1].is_out, what="the address to come back")
    assert (await both.ask()).status == (await both.ask()).status == 200
    assert len(second.requests) == 1


async def test_a_service_that_ends_its_connections_is_left_alone_for_a_moment(
    both: Door, second: Upstream
) -> None:
    second.script = say_goodbye
    await asyncio.gather(both.ask(), both.ask())

    assert [(await both.ask()).status for _ in range(5)] == [200] * 5
    assert len(second.requests) == 1
    await eventually(addresses(both)[1].is_healthy, what="the moment to pass")
    await asyncio.gather(both.ask(), both.ask())
    assert len(second.requests) == 2


async def test_with_every_address_out_each_is_tried_all_the_same(
    both: Door, upstream: Upstream, second: Upstream
) -> None:
    for address in addresses(both):
        address.failed(is_certain=True)
    upstream.is_ready = second.is_ready = False

    assert (await both.ask()).status == 200


async def test_clients_in_a_hurry_do_not_close_a_service(door: Door, upstream: Upstream) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.header("x-request-timeout-ms") == "1":
            await asyncio.Event().wait()
        writer.write(answer())

    upstream.script = script
    hasty = [door.ask(headers="X-Request-Timeout-Ms: 1\r\n") for _ in range(10)]
    for given in await asyncio.gather(*hasty):
        given.assert_problem(503, "upstream_timeout")

    assert door.gateway.upstreams["catalog"].breaker.state is BreakerState.CLOSED
    assert (await door.ask()).status == 200


async def test_a_resting_circuit_lets_one_request_through(
    settings: GatewaySettings, upstream: Upstream
) -> None:
    """Of a crowd at a half-open circuit one asks the service, the others are told when to come."""
    go_on = asyncio.Event()
    upstream.script = answering_after(go_on)
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(open_door(settings))
        breaker = door.gateway.upstreams["catalog"].breaker
        for _ in range(breaker.threshold):
            breaker.failed()
        refused = await door.ask()
        refused.assert_problem(503, "circuit_open")
        assert int(refused.headers["retry-after"]) == breaker.rest_s
        await eventually(
            lambda: breaker.state is BreakerState.HALF_OPEN, what="the rest to be over"
        )

        asked = [asyncio.create_task(door.ask()) for _ in range(20)]
        await eventually(lambda: sum(task.done() for task in asked) == 19, what="19 refusals")
        go_on.set()
        given: list[Answer] = await asyncio.gather(*asked)

    assert sorted(each.status for each in given) == [200] + [503] * 19
    assert len(upstream.requests) == 1

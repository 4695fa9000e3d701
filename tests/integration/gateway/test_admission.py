"""The gateway takes of each kind of work what can be done in time, and refuses the rest at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import generate_latest

from common_lib.admission import BOUNDS, Kind
from gateway.routes import CATALOG, ORDER, USER
from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Answer,
    Door,
    Request,
    Script,
    Upstream,
    answer,
    open_door,
)
from tests.waiting import eventually

# Where each kind of work is asked for, and of whom.
ASKED = {
    Kind.ORDER: ("POST", "/api/orders", ORDER),
    Kind.PAYMENT: ("POST", "/api/orders/1/payments", ORDER),
    Kind.CHANGE: ("POST", "/api/cart/1", ORDER),
    Kind.LOGIN: ("POST", "/api/auth/login", USER),
    Kind.ADMIN: ("POST", "/api/admin/orders/1", ORDER),
    Kind.WEBHOOK: ("POST", "/api/webhooks/payments/sandbox", ORDER),
    Kind.READ: ("GET", "/api/products/1", CATALOG),
}
SMALL = 3
ORDER_REQUEST = (
    b"POST /api/orders HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)


def holding_back(kind: Kind, go_on: asyncio.Event) -> Script:
    """Return a script that answers everything but one kind of work."""
    method, path, _ = ASKED[kind]
    held = f"{method} {path} ".encode()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith(held):
            await go_on.wait()
        writer.write(answer())

    return script


@pytest.fixture
async def door(settings: GatewaySettings) -> AsyncIterator[Door]:
    """A gateway of which every limit stands at three."""
    wide = {f"{name}_limit_per_minute": 10_000 for name in ("rate", "login", "register")}
    async with open_door(settings.model_copy(update=wide)) as door:
        for kind, (_, _, upstream) in ASKED.items():
            door.gateway.admission_to(upstream, kind).limit = float(SMALL)
        yield door


async def ask(door: Door, kind: Kind) -> Answer:
    method, path, _ = ASKED[kind]
    return await door.ask(path, method=method, body=b"{}" if method == "POST" else b"")


@asynccontextmanager
async def full_of(door: Door, upstream: Upstream, kind: Kind) -> AsyncIterator[None]:
    """Let a kind of work take all its places for as long as the block lasts."""
    go_on = asyncio.Event()
    upstream.script = holding_back(kind, go_on)
    limiter, before = door.gateway.admission_to(ASKED[kind][2], kind), len(upstream.requests)
    asked = [asyncio.create_task(ask(door, kind)) for _ in range(SMALL)]
    await eventually(lambda: len(upstream.requests) == before + SMALL, what="all places taken")
    assert limiter.is_full()
    try:
        yield
    finally:
        go_on.set()
        answers = await asyncio.gather(*asked)
        assert [given.status for given in answers] == [200] * SMALL


@pytest.mark.parametrize("kind", list(ASKED))
async def test_what_does_not_fit_is_refused_before_anybody_is_asked(
    door: Door, upstream: Upstream, kind: Kind
) -> None:
    async with full_of(door, upstream, kind):
        asked = len(upstream.requests)
        refused = await ask(door, kind)
        assert len(upstream.requests) == asked

    refused.assert_problem(503, "overloaded")
    assert refused.headers["retry-after"] == "1"


@pytest.mark.parametrize("crowd", list(ASKED))
async def test_a_crowd_of_one_kind_takes_no_places_of_another(
    door: Door, upstream: Upstream, crowd: Kind
) -> None:
    async with full_of(door, upstream, crowd):
        others = {kind: (await ask(door, kind)).status for kind in ASKED if kind is not crowd}

    assert set(others.values()) == {200}, others


async def test_a_service_that_is_slow_takes_no_places_of_the_others(
    door: Door, upstream: Upstream
) -> None:
    async with full_of(door, upstream, Kind.READ):
        of_orders = await door.ask("/api/orders/1")

    assert of_orders.status == 200


async def test_a_refused_order_keeps_its_connection_and_the_next_goes_over_it(
    door: Door, upstream: Upstream
) -> None:
    async with door.connect() as client:
        async with full_of(door, upstream, Kind.ORDER):
            await client.send(ORDER_REQUEST)
            refused = await client.answer()
        await client.send(ORDER_REQUEST)
        placed = await client.answer()

    refused.assert_problem(503, "overloaded")
    assert "connection" not in refused.headers
    assert placed.status == 200


async def test_places_are_given_back_whatever_becomes_of_the_request(
    door: Door, upstream: Upstream
) -> None:
    async def dying(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    limiter = door.gateway.admission_to(ORDER, Kind.ORDER)
    upstream.script = dying
    broken = [(await ask(door, Kind.ORDER)).status for _ in range(SMALL)]
    door.close_circuits()
    upstream.script = holding_back(Kind.ORDER, asyncio.Event())
    async with door.connect() as leaving:
        await leaving.send(ORDER_REQUEST)
        await eventually(lambda: limiter.in_flight == 1, what="the request taken")

    await eventually(lambda: limiter.in_flight == 0, what="the place given back")
    assert broken == [503] * SMALL


async def test_a_service_that_says_it_is_overloaded_is_sent_less(
    door: Door, upstream: Upstream
) -> None:
    limiter = door.gateway.admission_to(ORDER, Kind.ORDER)
    limiter.limit = before = float(BOUNDS[Kind.ORDER].start)
    crowd, go_on = 2 * BOUNDS[Kind.ORDER].least, asyncio.Event()

    async def overloaded(_: Request, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(answer(status="503 Service Unavailable", headers=b"retry-after: 1\r\n"))

    upstream.script = overloaded
    asked = [asyncio.create_task(ask(door, Kind.ORDER)) for _ in range(crowd)]
    await eventually(lambda: limiter.in_flight == crowd, what="a crowd")
    go_on.set()
    await asyncio.gather(*asked)

    assert limiter.limit < crowd < before


async def test_a_client_in_a_hurry_does_not_shrink_the_limit(
    door: Door, upstream: Upstream
) -> None:
    limiter = door.gateway.admission_to(ORDER, Kind.ORDER)
    limiter.limit = before = float(BOUNDS[Kind.ORDER].start)
    go_on = asyncio.Event()
    upstream.script = holding_back(Kind.ORDER, go_on)

    given = await door.ask(
        "/api/orders", method="POST", body=b"{}", headers="X-Request-Timeout-Ms: 50\r\n"
    )
    go_on.set()

    given.assert_problem(503, "upstream_timeout")
    assert (limiter.limit, limiter.in_flight) == (before, 0)


async def test_the_limits_are_shown_among_the_metrics(door: Door) -> None:
    await ask(door, Kind.READ)

    shown = generate_latest().decode()
    assert f'admission_limit{{kind="order.orders"}} {SMALL}.0' in shown
    assert 'admission_in_flight{kind="catalog.reads"} 0.0' in shown

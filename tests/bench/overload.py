"""Twice as many orders as can be placed: what is served, how soon the rest is told, what is held.

A closed loop finds the capacity, an open loop offers twice as much; the workers run all the time,
as they do in a shop. Product reads go on beside both.
"""

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common_lib.ids import new_id
from shop.stack.errors import StackError
from tests.bench.open_loop import BROKEN, OpenLoop, Seen, connect, packed
from tests.bench.orders import order_request
from tests.bench.report import Row
from tests.bench.stats import percentile, ratio
from tests.bench.world import SERVICES, WORKERS, World

SECTION = "Overload"
CLIENTS = 64
WINDOW_S = 30.0
CAPACITY_S = 15.0
TIMES = 2
READS_PER_S = 100
READS_ALONE_S = 10.0
NEXT_ORDERS = 40
VARIANTS = 100
CREATED, REFUSED, OK = 201, 503, 200
SETTLED_WITHIN_S = 90.0
POLL_S = 0.5
# What an attempt held that failed is given back by then (SHOP_UNFINISHED_ORDER_GRACE_S and more).
HELD_AFTER_S = 20.0
LEAST_SHARE: Final = 0.9
SLOWEST_MS: Final = 1500.0
SLOWEST_REFUSAL_MS: Final = 50.0
AS_FAST: Final = 2.0
PAUSE_S: Final = 0.1


@dataclass(frozen=True)
class Found:
    capacity: float
    orders: Seen
    reads_alone: Seen
    reads_at_capacity: Seen
    reads_beside: Seen
    next_before_ms: float
    next_after_ms: float
    held: int


def measure(world: World) -> list[Row]:
    world.need(*SERVICES)
    world.need(*WORKERS)
    url = world.stack.layout.url("gateway")
    world.warm_up(url, order_request(world, world.variants(VARIANTS)))
    _settle(world)
    with world.step(f"{NEXT_ORDERS} orders one after the other"):
        before_ms = asyncio.run(_one_by_one(world, url))
    with world.step(f"{READS_PER_S} product reads a second alone"):
        reads_alone = asyncio.run(_reads(world, url).run(READS_ALONE_S))
    with world.step(f"capacity: {CLIENTS} clients that wait for their answers"):
        capacity, reads_at_capacity = asyncio.run(_closed(world, url))
    _settle(world)
    with world.step(f"{TIMES * capacity:.0f} orders a second for {WINDOW_S:.0f} s"):
        orders, reads = asyncio.run(_burst(world, url, TIMES * capacity))
    time.sleep(HELD_AFTER_S)
    held = _held_without_order(world)
    with world.step(f"{NEXT_ORDERS} orders one after the other, again"):
        _settle(world)
        after_ms = asyncio.run(_one_by_one(world, url))
    world.note_memory()
    return _rows(
        Found(
            capacity=capacity,
            orders=orders,
            reads_alone=reads_alone,
            reads_at_capacity=reads_at_capacity,
            reads_beside=reads,
            next_before_ms=before_ms,
            next_after_ms=after_ms,
            held=held,
        )
    )


class _Orders:
    """Orders of the buyers in turn, each with a key of its own, ready to be sent."""

    def __init__(self, world: World, url: str) -> None:
        request = order_request(world, world.variants(VARIANTS))
        assert request.tokens is not None
        assert request.bodies is not None
        self._host = urlsplit(url).netloc
        self._tokens = itertools.cycle(request.tokens.read_text().split())
        self._bodies = itertools.cycle(request.bodies.read_bytes().splitlines())

    def make(self) -> bytes:
        headers = [
            ("authorization", f"Bearer {next(self._tokens)}"),
            ("idempotency-key", str(new_id())),
        ]
        body = next(self._bodies)
        return packed("POST", "/api/orders", self._host, headers, body)


def _reads(world: World, url: str) -> OpenLoop:
    host = urlsplit(url).netloc
    paths = [f"/api/products/{variant.product_id}" for variant in world.variants(VARIANTS)]
    requests = [packed("GET", path, host, []) for path in paths]
    return OpenLoop(url, lambda number: requests[number % len(requests)], READS_PER_S)


async def _closed(world: World, url: str) -> tuple[float, Seen]:
    """Return orders placed a second by clients that wait, and the reads beside them."""
    orders = _Orders(world, url)
    ends_at = asyncio.get_running_loop().time() + CAPACITY_S
    clients = [_client(url, orders, ends_at) for _ in range(CLIENTS)]
    reads, placed = await asyncio.gather(
        _reads(world, url).run(CAPACITY_S), asyncio.gather(*clients)
    )
    return sum(placed) / CAPACITY_S, reads


async def _client(url: str, orders: "_Orders", ends_at: float) -> int:
    """Place orders one after the other; who is refused comes back a little later."""
    loop, line, placed = asyncio.get_running_loop(), await connect(url), 0
    while loop.time() < ends_at:
        if not line.is_open:
            line = await connect(url)
        status = await line.ask(orders.make())
        placed += status == CREATED and loop.time() <= ends_at
        if status != CREATED:
            await asyncio.sleep(PAUSE_S)
    line.close()
    return placed


async def _burst(world: World, url: str, per_second: float) -> tuple[Seen, Seen]:
    orders = _Orders(world, url)
    offered = OpenLoop(url, lambda _: orders.make(), per_second)
    placed, reads = await asyncio.gather(offered.run(WINDOW_S), _reads(world, url).run(WINDOW_S))
    return placed, reads


async def _one_by_one(world: World, url: str) -> float:
    """Return the median time of an order when nobody else orders, in milliseconds."""
    orders, line, took_ms = _Orders(world, url), await connect(url), []
    for _ in range(NEXT_ORDERS):
        started = time.perf_counter()
        status = await line.ask(orders.make())
        took_ms.append((time.perf_counter() - started) * 1000)
        if status != CREATED:
            raise StackError(f"an order beside nothing was answered {status}", "see the logs")
    line.close()
    return percentile(took_ms, 0.5)


def _settle(world: World) -> None:
    """Wait until the workers have done what the orders so far left to them."""
    ends_at = time.monotonic() + SETTLED_WITHIN_S
    waiting = "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL"
    held = "SELECT COUNT(*) FROM reservations WHERE status = 'HELD'"
    while time.monotonic() < ends_at:
        if not world.scalar("order", waiting) and not world.scalar("catalog", held):
            return
        time.sleep(POLL_S)


def _held_without_order(world: World) -> int:
    """Return how many reservations are held for which no order was written."""
    ordered = {row[0] for row in world.query("order", "SELECT reservation_id FROM orders")}
    held = world.query("catalog", "SELECT id FROM reservations WHERE status = 'HELD'")
    return sum(1 for (reservation_id,) in held if reservation_id not in ordered)


def _rows(found: Found) -> list[Row]:
    orders = found.orders
    served = orders.count(CREATED, until_s=WINDOW_S) / WINDOW_S
    share = ratio(served, found.capacity)
    slowest_ms, refusal_ms = orders.latency_ms(CREATED, 0.99), orders.latency_ms(REFUSED, 0.99)
    as_fast = ratio(found.next_after_ms, found.next_before_ms)
    return [
        Row(
            f"Orders at {TIMES} times the capacity, {WINDOW_S:.0f} s: at least 90 % of it served",
            f"capacity {found.capacity:.0f}/s, served {served:.0f}/s of "
            f"{orders.offered / WINDOW_S:.0f}/s offered; {_told(orders)}",
            f"{share:.2f}",
            share >= LEAST_SHARE,
        ),
        Row(
            "p99 of 201 at most 1.5 s, from the moment it was meant to go",
            f"p50 {orders.latency_ms(CREATED, 0.5):.0f} ms, p99 {slowest_ms:.0f} ms",
            f"{ratio(slowest_ms, SLOWEST_MS):.2f}",
            slowest_ms <= SLOWEST_MS,
        ),
        Row(
            "p99 of refusals at most 50 ms, each 503 with Retry-After",
            f"p50 {orders.latency_ms(REFUSED, 0.5):.1f} ms, p99 {refusal_ms:.1f} ms, "
            f"{orders.bare_refusals} without Retry-After",
            f"{ratio(refusal_ms, SLOWEST_REFUSAL_MS):.2f}",
            refusal_ms <= SLOWEST_REFUSAL_MS and not orders.bare_refusals,
        ),
        Row(
            f"Nothing held without an order {HELD_AFTER_S:.0f} s afterwards",
            f"{found.held} reservations",
            "",
            found.held == 0,
        ),
        Row(
            "The next order as fast as before (at most twice the median)",
            f"{found.next_before_ms:.1f} ms before, {found.next_after_ms:.1f} ms after",
            f"{as_fast:.2f}",
            as_fast <= AS_FAST,
        ),
        _reads_row(found),
    ]


def _reads_row(found: Found) -> Row:
    beside, at_capacity = (
        seen.latency_ms(OK, 0.99) for seen in (found.reads_beside, found.reads_at_capacity)
    )
    times = ratio(beside, at_capacity)
    return Row(
        "Product reads beside the burst: p99 at most twice that beside orders at the capacity",
        f"p99 {beside:.1f} ms beside the burst, {at_capacity:.1f} ms at the capacity, "
        f"{found.reads_alone.latency_ms(OK, 0.99):.1f} ms alone; "
        f"{READS_PER_S}/s, answered {_told(found.reads_beside)}",
        f"{times:.2f}",
        times <= AS_FAST and found.reads_beside.statuses() == {OK: found.reads_beside.offered},
    )


def _told(seen: Seen) -> str:
    words = {BROKEN: "none"}
    return ", ".join(f"{count} x {words.get(s, s)}" for s, count in seen.statuses().items())

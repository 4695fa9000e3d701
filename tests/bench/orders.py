"""Placing orders through gateway, order and catalog, with outbox, prices, replay check, metrics."""

from collections.abc import Sequence

import orjson

from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import MYSQL, REDIS, WORKERS, Measured, Variant, World
from tests.shopper import ADDRESS

SECTION = "Placing an order"
PATH = ("gateway", "order", "catalog")
CLIENTS = (1, 8, 64)
GOAL_US = 1200
LEAST_SHARE_AT_64 = 0.8
MIXED = 100


def measure(world: World) -> list[Row]:
    request = order_request(world, world.variants(1))
    world.need("user", *PATH)
    world.stop(WORKERS)
    url = world.stack.layout.url("gateway")
    world.warm_up(url, request)
    found = {}
    for clients in CLIENTS:
        with world.step(f"orders of one item, {clients} clients"):
            found[clients] = _place(world, request, clients)
    with world.step(f"orders of {MIXED} items in turn, 64 clients"):
        mixed = _place(world, order_request(world, world.variants(MIXED)), CLIENTS[-1])
    world.note_memory()
    return [*_rows(found), _rate_row("100 items in turn, 64 clients", mixed)]


def order_request(world: World, variants: Sequence[Variant]) -> Request:
    """Return an order, cash on delivery, for the buyers and the variants in turn."""
    bodies = world.stack.layout.home / f"orders-{len(variants)}.json"
    bodies.write_bytes(b"\n".join(_body(variant) for variant in variants) + b"\n")
    return Request("POST", "/api/orders", world.tokens(), bodies)


def _body(variant: Variant) -> bytes:
    return orjson.dumps(
        {
            "items": [{"variantId": str(variant.id), "quantity": 1}],
            "shippingAddress": ADDRESS,
            "paymentMethod": "COD",
        }
    )


def _place(world: World, request: Request, clients: int) -> Measured:
    url = world.stack.layout.url("gateway")
    return world.measure(url, request, clients=clients, watch=[*PATH, MYSQL, REDIS])


def _rows(found: dict[int, Measured]) -> list[Row]:
    at_64, at_8 = found[64], found[8]
    share = ratio(at_64.outcome.per_second, at_8.outcome.per_second)
    cpu_us = at_64.cpu_us(*PATH)
    return [
        Row(
            "No collapse: orders/s with 64 clients at least 0.8 times those with 8",
            f"{at_64.outcome.per_second:,.0f}/s with 64, {at_8.outcome.per_second:,.0f}/s with 8",
            f"{share:.2f}",
            share >= LEAST_SHARE_AT_64,
        ),
        Row(
            "At most 1,200 µs CPU an order in gateway, order and catalog, 64 clients",
            f"{cpu_us:,.0f} µs",
            f"{ratio(cpu_us, GOAL_US):.2f}",
            cpu_us <= GOAL_US,
        ),
        *(_rate_row(_label(clients), run) for clients, run in found.items()),
    ]


def _label(clients: int) -> str:
    return "One item, 1 client" if clients == 1 else f"One item, {clients} clients"


def _rate_row(label: str, run: Measured) -> Row:
    outcome = run.outcome
    each = ", ".join(f"{name} {run.cpu_us(name):,.0f}" for name in PATH)
    return Row(
        f"{label} (workers stopped)",
        f"{outcome.per_second:,.0f} orders/s, p50 {outcome.p50_ms:.1f} ms, "
        f"p99 {outcome.p99_ms:.1f} ms; µs CPU an order: {each}, "
        f"MySQL {run.cpu_us(MYSQL):,.0f}, Redis {run.cpu_us(REDIS):,.0f}",
    )

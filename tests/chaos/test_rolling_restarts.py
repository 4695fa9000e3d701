"""Fifty SIGTERMs to the gateway and the services under load: every request gets its answer."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from uuid import uuid4

import orjson
import pytest

from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from shop.stack.ports import LOOPBACK, free_ports
from tests.integration.gateway.harness import Answer, Client
from tests.invariants import assert_invariants
from tests.shopper import ADDRESS, Shopper, line, new_product

KINDS = ("gateway", *SERVICES)
TWINS = tuple(f"{kind}-2" for kind in KINDS)
GATEWAYS = ("gateway", "gateway-2")
ROUNDS = 10
CLIENTS = 6
PAUSE_S = 0.1
FINE = frozenset({200, 201})


@dataclass
class Entrance:
    """What a load balancer knows: the addresses, and that who refuses got nothing."""

    ports: deque[int]

    async def connect(self) -> Client:
        self.ports.rotate()
        for port in tuple(self.ports):
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=1 << 20)
            except ConnectionRefusedError:
                continue
            return Client(reader, writer)
        raise AssertionError("both gateways refuse connections")


@dataclass
class Caller:
    """One customer on one connection, which is kept until the gateway says that it ends."""

    shopper: Shopper
    variant_id: str
    entrance: Entrance
    answers: Counter[int] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    client: Client | None = None

    async def shop_until(self, is_over: Callable[[], bool]) -> None:
        steps = cycle((self._look, self._fill_cart, self._look, self._order))
        while not is_over():
            await next(steps)()
            await asyncio.sleep(PAUSE_S)
        self._drop()
        # The transport lets its socket go in the loop's next turn.
        await asyncio.sleep(0)

    async def _look(self) -> None:
        await self._ask("GET", "/api/products?limit=5")

    async def _fill_cart(self) -> None:
        await self._ask("POST", f"/api/cart/{self.shopper.user_id}", line(self.variant_id))

    async def _order(self) -> None:
        items = {"items": [line(self.variant_id)]}
        body = {"shippingAddress": ADDRESS, "paymentMethod": "COD"} | items
        answer = await self._ask("POST", "/api/orders", body)
        if answer is not None and answer.status == 201:
            self.placed.append(answer.json()["id"])

    async def _ask(self, method: str, path: str, body: object = None) -> Answer | None:
        started = time.monotonic()
        client = self.client = await self._connected()
        try:
            await client.send(self._request(method, path, body))
            answer = await client.answer()
        except (OSError, EOFError, TimeoutError) as error:
            self._lose(f"{method} {path}: {error!r} after {time.monotonic() - started:.2f} s")
            return None
        self.answers[answer.status] += 1
        if answer.status not in FINE:
            self._lose(f"{method} {path}: {answer}")
        if answer.headers.get("connection") == "close":
            self._drop()
        return answer

    async def _connected(self) -> Client:
        """Return the connection at rest unless its end has been seen, else a new one."""
        if self.client is not None and not self.client.reader.at_eof():
            return self.client
        self._drop()
        return await self.entrance.connect()

    def _request(self, method: str, path: str, body: object) -> bytes:
        content = b"" if body is None else orjson.dumps(body)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: {uuid4().hex}\r\n"
            f"Authorization: Bearer {self.shopper.token}\r\n"
        )
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return head.encode() + b"\r\n" + content

    def _lose(self, what: str) -> None:
        self.losses.append(what)
        self._drop()

    def _drop(self) -> None:
        if self.client is not None:
            self.client.writer.close()
            self.client = None


# All databases of a test stack are on one server, which has to have room for twelve processes.
SMALL_POOLS = {"SHOP_DATABASE_POOL_SIZE": "8", "SHOP_DATABASE_MAX_OVERFLOW": "8"}


@pytest.fixture
def two_of_each(whole: NativeStack) -> Iterator[NativeStack]:
    """The stack with a second gateway and a second process of each service."""
    alone = whole.layout
    *ports, metrics_port = free_ports(len(TWINS) + 1)
    whole.layout = replace(
        alone,
        twins=dict(zip(TWINS, ports, strict=True)),
        process_env={"gateway-2": {"SHOP_METRICS_PORT": str(metrics_port)}},
        env={**alone.env, **SMALL_POOLS},
    )
    try:
        whole.start_processes([*KINDS, *TWINS])
        yield whole
    finally:
        for name in reversed(TWINS):
            whole.terminate(name)
        whole.layout = alone


@contextmanager
def load(callers: list[Caller]) -> Iterator[None]:
    """Let the callers shop for as long as the block lasts.

    On a thread of their own: processes must be started on the main one, and that blocks it.
    """
    over = threading.Event()

    async def shop() -> None:
        await asyncio.gather(*(caller.shop_until(over.is_set) for caller in callers))

    with ThreadPoolExecutor(1) as thread:
        shopping = thread.submit(asyncio.run, shop())
        try:
            yield
        finally:
            over.set()
        shopping.result()


def replace_by_turns(stack: NativeStack) -> None:
    """End one process of each kind at once and start it again, by turns, the others working on."""
    for _, names in zip(range(ROUNDS), cycle((KINDS, TWINS)), strict=False):
        stubborn = stack.processes.stop(names, 30)
        assert not stubborn, f"killed after 30 s: {stubborn}"
        stack.start_processes(names)


async def test_no_request_is_lost_over_fifty_sigterms(
    two_of_each: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    variant_id = (await new_product(seller, quantity=100_000))["variants"][0]["id"]
    entrance = Entrance(deque(two_of_each.layout.port_of(name) for name in GATEWAYS))
    shoppers = [await (await somebody().register()).login() for _ in range(CLIENTS)]
    callers = [Caller(shopper, variant_id, entrance) for shopper in shoppers]

    with load(callers):
        replace_by_turns(two_of_each)

    assert [loss for caller in callers for loss in caller.losses] == []
    for caller in callers:
        assert sorted(await order_ids(caller.shopper)) == sorted(caller.placed)
        assert len(caller.placed) == len(set(caller.placed)) > ROUNDS
    await assert_invariants(two_of_each)


async def order_ids(shopper: Shopper) -> list[str]:
    """Return the ids of all orders that the shop knows of this customer."""
    found: list[str] = []
    query = "limit=100"
    while True:
        answer = await shopper.request("GET", f"/api/orders?{query}")
        page = answer.json()
        found += [str(order["id"]) for order in page["items"]]
        if page["nextCursor"] is None:
            return found
        query = f"limit=100&cursor={page['nextCursor']}"

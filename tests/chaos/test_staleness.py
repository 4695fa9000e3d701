"""A changed product is never shown as it was, once a second has passed: two processes, two writers.

The readers ask each catalog process itself. Every answer names the product's version; an answer to
a request that began more than a second after a newer version was acknowledged is stale.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shop.stack.layout import REPOSITORY
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports
from shop.stack.processes import Spec
from tests.plain import NO_TLS
from tests.shopper import Shopper, new_product
from tests.waiting import eventually

SECOND = "catalog-second"
READERS_EACH = 2
WRITERS = 2
# The machine has other work: a reader asks a hundred times a second at most, a writer twenty.
READ_PAUSE_S, WRITE_PAUSE_S = 0.01, 0.05
STALE_AFTER_S = 1.0
WATCHED_AFTERWARDS_S = 1.5


@pytest.fixture
def two_catalogs(whole: NativeStack) -> Iterator[list[str]]:
    """Start a second catalog process beside the stack's own; return both addresses."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **whole.environment("catalog"), "SHOP_PORT": str(port)}
    argv = (sys.executable, "-m", "catalog_service.main")
    whole.processes.start(Spec(name=SECOND, argv=argv, env=environment, cwd=REPOSITORY))
    yield [whole.layout.url("catalog"), url]
    whole.terminate(SECOND)


@dataclass
class Watch:
    """One product under change: what was acknowledged when, and what was seen too late."""

    product: dict[str, Any]
    headers: dict[str, str]
    acknowledged: list[tuple[float, int]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    reads: int = 0
    is_writing: bool = True
    is_refused: bool = False

    @property
    def path(self) -> str:
        return f"/api/products/{self.product['id']}"

    def least(self, began: float) -> int:
        """Return the version that a read which began then must show, or a newer one."""
        known = [n for at, n in self.acknowledged if at < began - STALE_AFTER_S]
        return max(known, default=0)

    async def write(self, http: httpx2.AsyncClient) -> None:
        while self.is_writing:
            kept = {name: self.product[name] for name in ("description", "categoryId")}
            body = {**kept, "name": f"Name {uuid4()}"}
            answer = await http.put(self.path, json=body, headers=self.headers)
            if is_refused_without_redis(answer):
                self.is_refused = True
            else:
                assert answer.status_code == 200, answer.text
                self.acknowledged.append((time.monotonic(), answer.json()["version"]))
            await asyncio.sleep(WRITE_PAUSE_S)

    async def read(self, http: httpx2.AsyncClient, *, forever: bool = True) -> None:
        while True:
            began = time.monotonic()
            answer = await http.get(self.path)
            assert answer.status_code == 200, answer.text
            shown, least = answer.json()["version"], self.least(began)
            self.reads += 1
            if shown < least:
                late_s = began - max(at for at, n in self.acknowledged if n <= least)
                self.stale.append(f"{http.base_url}: {shown}, not {least}, {late_s:.2f} s late")
            if not forever:
                return
            await asyncio.sleep(READ_PAUSE_S)

    def has_written(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    async def written(self, more: int) -> None:
        count = len(self.acknowledged) + more
        await eventually(partial(self.has_written, count), timeout_s=30, what="more writes")


def is_refused_without_redis(answer: httpx2.Response) -> bool:
    """Sellers change nothing while nobody can tell whether they still are sellers."""
    return answer.status_code == 503 and answer.json()["code"] == "revocation_unknown"


@asynccontextmanager
async def watched(urls: list[str], seller: Shopper) -> AsyncIterator[Watch]:
    """Change and read a product all the time; afterwards nothing stale may have been seen."""
    product = await new_product(seller, quantity=10)
    watch = Watch(product, {"Authorization": f"Bearer {seller.token}"})
    clients = [httpx2.AsyncClient(base_url=url, verify=NO_TLS, timeout=10) for url in urls]
    for client in clients:
        await eventually(partial(_is_ready, client), timeout_s=30, what="a second catalog")
    async with asyncio.TaskGroup() as group:
        readers = [
            group.create_task(watch.read(client)) for client in clients for _ in range(READERS_EACH)
        ]
        writers = [group.create_task(watch.write(clients[n % 2])) for n in range(WRITERS)]
        yield watch
        watch.is_writing = False
        await asyncio.wait(writers)
        ends_at = time.monotonic() + WATCHED_AFTERWARDS_S
        await eventually(lambda: time.monotonic() > ends_at)
        for reader in readers:
            reader.cancel()
    for client in clients:
        await client.aclose()
    assert watch.stale == []
    assert watch.reads > len(watch.acknowledged)


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


def kill_redis(whole: NativeStack) -> None:
    whole.kill("redis")


def pause_redis(whole: NativeStack) -> None:
    whole.pause("redis")


def start_redis(whole: NativeStack) -> None:
    whole.start_part("redis")


def resume_redis(whole: NativeStack) -> None:
    whole.resume("redis")


async def test_a_changed_product_is_never_stale_after_a_second(
    two_catalogs: list[str], seller: Shopper
) -> None:
    async with watched(two_catalogs, seller) as watch:
        await watch.written(40)


@pytest.mark.parametrize(
    ("disturb", "restore"), [(kill_redis, start_redis), (pause_redis, resume_redis)]
)
async def test_nor_is_it_when_redis_goes_and_comes_back(
    whole: NativeStack,
    two_catalogs: list[str],
    seller: Shopper,
    disturb: Callable[[NativeStack], None],
    restore: Callable[[NativeStack], None],
) -> None:
    """A caller is remembered for half a second: so long changes are taken after Redis went.

    The last one falls into the outage: only repeated drops bring it to everybody.
    """
    async with watched(two_catalogs, seller) as watch:
        await watch.written(20)
        disturb(whole)
        try:
            await eventually(lambda: watch.is_refused, timeout_s=30, what="a refused write")
            watch.is_writing = False
            await eventually(partial(_has_settled, watch))
        finally:
            restore(whole)


async def _has_settled(watch: Watch) -> bool:
    count = len(watch.acknowledged)
    await asyncio.sleep(WRITE_PAUSE_S * 4)
    return len(watch.acknowledged) == count

"""Ten thousand buyers want a thousand units while Redis and a catalog process are killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from common_lib.auth import SigningKey
from shop.flashsale.buyers import invite
from shop.flashsale.command import venue_of
from shop.flashsale.crowd import Crowd, Tally
from shop.flashsale.goods import Goods
from shop.flashsale.plan import Plan
from shop.flashsale.proof import Bookkeeper, verdicts
from shop.flashsale.sale import Venue
from shop.stack.credentials import key_file
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports
from tests.invariants import assert_invariants
from tests.shopper import Shopper, new_product
from tests.waiting import eventually

PLAN = Plan(buyers=10_000, stock=1_000)
PATIENCE_S = 400
NOTHING_HELD_WITHIN_S = 60
MAILS_WITHIN_S = 120
TWIN = "catalog-2"
POLL_S = 0.5


@pytest.fixture
def two_catalogs(whole: NativeStack) -> Iterator[NativeStack]:
    """The stack with a second catalog process, which orders and the gateway use like the first."""
    alone = whole.layout
    whole.layout = replace(alone, twins={TWIN: free_ports(1)[0]})
    whole.start_processes(["catalog", TWIN, "order", "gateway"])
    yield whole
    whole.terminate(TWIN)
    whole.layout = alone


@pytest.fixture
async def venue(two_catalogs: NativeStack) -> AsyncIterator[Venue]:
    key = SigningKey.from_file(key_file(two_catalogs.layout.keys, "jwt"))
    async with venue_of(two_catalogs, key) as venue:
        yield venue


async def test_exactly_the_stock_is_sold_though_redis_and_a_catalog_process_are_killed(
    two_catalogs: NativeStack, venue: Venue, seller: Shopper
) -> None:
    goods = goods_of(await new_product(seller, quantity=PLAN.stock))
    buyers = await invite(venue.books.databases["user"], venue.signer, PLAN.buyers, PLAN.seed)
    stages = disturb(two_catalogs)

    async with Crowd(venue.entrance, patience_s=PATIENCE_S) as crowd:
        buying = asyncio.ensure_future(crowd.buy(buyers, goods.variant_id))
        for sold in (PLAN.stock // 5, PLAN.stock // 3, PLAN.stock // 2):
            await eventually(has_sold(crowd.tally, sold, buying), timeout_s=PATIENCE_S)
            assert not buying.done(), "the sale was over before the disturbance"
            next(stages)
        tally = await buying

    books = Bookkeeper(venue.books.databases, goods)
    await nothing_is_held(books, within_s=NOTHING_HELD_WITHIN_S)
    written = await books.settled(lambda _mails: None)
    broken = [v for v in verdicts(PLAN, tally, written, await shown(seller, goods)) if v.offenders]
    assert not broken
    await assert_invariants(two_catalogs, within_s=MAILS_WITHIN_S)


def disturb(stack: NativeStack) -> Iterator[None]:
    """Kill Redis, then a catalog process; bring both back at the third stage."""
    stack.kill("redis")
    yield
    stack.kill("catalog")
    yield
    stack.start_part("redis")
    stack.start_process("catalog", wait=False)
    yield


def has_sold(tally: Tally, count: int, buying: asyncio.Future[Tally]) -> Callable[[], bool]:
    return lambda: len(tally.placed) >= count or buying.done()


async def nothing_is_held(books: Bookkeeper, *, within_s: float) -> None:
    """Wait until no reservation is on the way any more; fail with what is and what was ordered."""
    deadline = time.monotonic() + within_s
    while (written := await books.read()).on_the_way:
        states = Counter(status for _, status, _ in written.reservations)
        orders = Counter(str(order["status"]) for order in written.orders)
        assert time.monotonic() < deadline, f"after {within_s} s: {states}, orders {orders}"
        await asyncio.sleep(POLL_S)


async def shown(seller: Shopper, goods: Goods) -> int:
    """Return the stock that the product's page shows."""
    answer = await seller.request("GET", f"/api/products/{goods.product_id}")
    return int(answer.json()["variants"][0]["available"])


def goods_of(product: dict[str, object]) -> Goods:
    variants = product["variants"]
    assert isinstance(variants, Sequence)
    variant = variants[0]
    name = str(product["name"])
    return Goods(UUID(str(product["id"])), UUID(str(variant["id"])), name, str(variant["sku"]))

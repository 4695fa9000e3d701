"""Parts and processes are killed while customers order: nothing acknowledged is lost."""

import asyncio
from collections.abc import Callable, Iterator, Sized
from functools import partial
from uuid import uuid4

import httpx2
import pytest

from shop.stack.layout import PROCESS_NAMES
from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually

CLIENTS = 8
ORDERS_EACH = 6


async def buy(shopper: Shopper, variant_id: str) -> str:
    """Order one unit and repeat with the same key until the shop has answered; return the id."""
    key = uuid4().hex

    async def answered() -> str | None:
        try:
            answer = await shopper.place([line(variant_id)], key=key)
        except httpx2.TransportError:
            return None
        assert answer.status_code in {201, 409, 502, 503, 504}, answer.text
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    order_id: str = await eventually(answered, timeout_s=90, what="an order")
    return order_id


async def crowd(somebody: Callable[[], Shopper]) -> list[Shopper]:
    return [await (await somebody().register()).login() for _ in range(CLIENTS)]


async def buy_while(
    buyers: list[Shopper], variant_id: str, disturb: Callable[[], Iterator[None]]
) -> list[str]:
    """Let all buyers order, and go through the disturbance's stages in between."""
    done: list[str] = []

    async def shop(buyer: Shopper) -> None:
        for _ in range(ORDERS_EACH):
            done.append(await buy(buyer, variant_id))  # noqa: PERF401 - others watch it grow

    buying = asyncio.gather(*(shop(buyer) for buyer in buyers))
    stages = disturb()
    wanted = CLIENTS * ORDERS_EACH
    for share in (0.25, 0.5):
        await eventually(partial(_has_reached, done, wanted * share, buying), timeout_s=60)
        next(stages, None)
    await buying
    return done


def _has_reached(done: Sized, count: float, buying: asyncio.Future[list[None]]) -> bool:
    return len(done) >= count or buying.done()


def kill_and_restart(stack: NativeStack, name: str) -> Callable[[], Iterator[None]]:
    def stages() -> Iterator[None]:
        stack.kill(name)
        stack.start_process(name)
        yield

    return stages


@pytest.mark.parametrize("process", [name for name in PROCESS_NAMES if name != "payment-sandbox"])
async def test_no_order_is_lost_when_a_process_is_killed_under_load(
    whole: NativeStack, somebody: Callable[[], Shopper], seller: Shopper, process: str
) -> None:
    product = await new_product(seller, quantity=1000)
    variant_id = product["variants"][0]["id"]
    buyers = await crowd(somebody)

    ids = await buy_while(buyers, variant_id, kill_and_restart(whole, process))

    assert len(set(ids)) == CLIENTS * ORDERS_EACH
    await assert_invariants(whole)


async def test_orders_go_on_without_redis(
    whole: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    product = await new_product(seller, quantity=1000)
    variant_id = product["variants"][0]["id"]
    buyers = await crowd(somebody)
    whole.kill("redis")

    answers = await asyncio.gather(
        *(buyer.place_until_told([line(variant_id)]) for buyer in buyers)
    )

    assert {answer.status_code for answer in answers} == {201}
    cart = await buyers[0].add_to_cart(variant_id)
    assert cart.status_code == 503
    whole.start_part("redis")
    await assert_invariants(whole)


async def test_events_wait_for_the_bus_to_come_back(
    whole: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    """LocalStack keeps nothing over a restart, so it is frozen rather than killed."""
    product = await new_product(seller, quantity=1000)
    variant_id = product["variants"][0]["id"]
    buyers = await crowd(somebody)
    whole.pause("localstack")

    answers = await asyncio.gather(
        *(buyer.place_until_told([line(variant_id)]) for buyer in buyers)
    )

    assert {answer.status_code for answer in answers} == {201}
    whole.resume("localstack")
    await assert_invariants(whole, within_s=90)


async def test_without_the_catalog_an_order_is_refused_and_may_be_repeated(
    whole: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=10)
    variant_id, key = product["variants"][0]["id"], uuid4().hex
    whole.kill("catalog")

    refused = await shopper.place([line(variant_id)], key=key)
    assert refused.status_code == 503, refused.text
    whole.start_process("catalog")

    async def placed() -> bool:
        return (await shopper.place([line(variant_id)], key=key)).status_code == 201

    await eventually(placed, timeout_s=30)
    await assert_invariants(whole)


async def test_a_database_that_dies_takes_no_order_with_it(
    whole: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    product = await new_product(seller, quantity=1000)
    variant_id = product["variants"][0]["id"]
    buyers = await crowd(somebody)

    def stages() -> Iterator[None]:
        whole.kill("mysql-users")
        whole.start_part("mysql-users")
        yield

    ids = await buy_while(buyers, variant_id, stages)

    assert len(set(ids)) == CLIENTS * ORDERS_EACH
    await assert_invariants(whole)

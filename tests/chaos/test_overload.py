"""A flash sale beyond what can be done: exactly the stock is sold, and nothing stays held."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from common_lib.admission import BOUNDS, Kind
from common_lib.auth import SigningKey
from shop.flashsale.buyers import invite
from shop.flashsale.command import venue_of
from shop.flashsale.crowd import Crowd
from shop.flashsale.plan import Plan
from shop.flashsale.proof import Bookkeeper, verdicts
from shop.flashsale.sale import Venue
from shop.stack.credentials import key_file
from shop.stack.native import NativeStack
from tests.chaos.test_flash_sale import goods_of, nothing_is_held, shown
from tests.invariants import assert_invariants
from tests.shopper import Shopper, new_product
from tests.waiting import eventually

PLAN = Plan(buyers=2_000, stock=100)
PATIENCE_S = 400
NOTHING_HELD_WITHIN_S = 60
MAILS_WITHIN_S = 120


@pytest.fixture
async def venue(whole: NativeStack) -> AsyncIterator[Venue]:
    key = SigningKey.from_file(key_file(whole.layout.keys, "jwt"))
    async with venue_of(whole, key) as venue:
        yield venue


@contextmanager
def frozen(stack: NativeStack, name: str) -> Iterator[None]:
    """Stop a process where it is, for as long as the block lasts."""
    pid = stack.running()[name].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_twice_what_can_be_taken_sells_exactly_the_stock_and_reads_go_on(
    whole: NativeStack, venue: Venue, seller: Shopper
) -> None:
    goods = goods_of(await new_product(seller, quantity=PLAN.stock))
    buyers = await invite(venue.books.databases["user"], venue.signer, PLAN.buyers, PLAN.seed)
    refused = PLAN.buyers - BOUNDS[Kind.ORDER].start

    async with Crowd(venue.entrance, in_flight=PLAN.buyers, patience_s=PATIENCE_S) as crowd:
        with frozen(whole, "order"):
            buying = asyncio.ensure_future(crowd.buy(buyers, goods.variant_id))
            await eventually(
                lambda: crowd.tally.repeats["overloaded"] >= refused,
                timeout_s=PATIENCE_S,
                what="all places of orders taken, and the rest refused",
            )
            shown_meanwhile = await shown(seller, goods)
        tally = await buying

    books = Bookkeeper(venue.books.databases, goods)
    await nothing_is_held(books, within_s=NOTHING_HELD_WITHIN_S)
    written = await books.settled(lambda _mails: None)
    broken = [v for v in verdicts(PLAN, tally, written, await shown(seller, goods)) if v.offenders]
    assert not broken
    assert shown_meanwhile == PLAN.stock
    await assert_invariants(whole, within_s=MAILS_WITHIN_S)

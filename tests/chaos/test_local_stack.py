"""The developer's own stack under kill -9, down and up: who has a 201 gets goods and mail.

A stack of its own, supervised as `make up` leaves it.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest
from rich.console import Console

from shop.stack import supervisor
from shop.stack.layout import PROCESS_NAMES, Layout
from shop.stack.native import NativeStack
from shop.stack.processes import Identity
from shop.stack.progress import Progress
from shop.stack.supervisor import read_records
from tests import seeding
from tests.conftest import TEST_ENVIRONMENT
from tests.invariants import assert_invariants
from tests.nursery import Nursery
from tests.shopper import DEV_PASSWORD, Shopper, line, new_product
from tests.waiting import eventually

BUYERS = 6
BACK_WITHIN_S = 90


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, launcher: Nursery) -> Iterator[NativeStack]:
    layout = Layout.for_tests(tmp_path_factory.mktemp("local"), env=TEST_ENVIRONMENT)
    stack = NativeStack(layout, Progress(Console()))
    stack.processes.launcher = launcher  # the supervisor has none: what it revives starts cold
    try:
        stack.up()
        stack.start_supervisor()
        seeding.fill(stack)
        yield stack
    finally:
        stack.reset()


@pytest.fixture(autouse=True)
def _whole(local: NativeStack) -> None:
    """Each test finds all of it running, however the one before has ended."""
    if {*PROCESS_NAMES, *local.part_names(), supervisor.NAME} - local.running().keys():
        local.up()
        local.start_supervisor()


@dataclass(frozen=True)
class Crowd:
    """Customers who are logged in, and what they buy."""

    buyers: list[Shopper]
    variant_id: str

    @asynccontextmanager
    async def buying(self) -> AsyncIterator[list[str]]:
        """Buy without a pause until the block ends; yields the orders that were acknowledged."""
        acknowledged: list[str] = []
        is_over = asyncio.Event()

        async def buy(buyer: Shopper) -> None:
            while not is_over.is_set():
                with contextlib.suppress(httpx2.TransportError):
                    answer = await buyer.place([line(self.variant_id)], key=uuid4().hex)
                    if answer.status_code == 201:
                        acknowledged.append(answer.json()["id"])
                        continue
                await asyncio.sleep(0.05)  # the shop is away; nobody hammers at a closed door

        buying = [asyncio.create_task(buy(buyer)) for buyer in self.buyers]
        try:
            yield acknowledged
        finally:
            is_over.set()
            await asyncio.gather(*buying)


@pytest.fixture(scope="module")
async def crowd(local: NativeStack) -> AsyncIterator[Crowd]:
    async with httpx2.AsyncClient(base_url=local.layout.url("gateway"), timeout=30) as door:
        seller = await Shopper(door).login("seller@shop.example", DEV_PASSWORD)
        product = await new_product(seller, quantity=100_000)
        buyers = [await (await Shopper(door).register()).login() for _ in range(BUYERS)]
        yield Crowd(buyers, product["variants"][0]["id"])


async def grown(acknowledged: list[str], by: int) -> None:
    wanted = len(acknowledged) + by
    await eventually(lambda: len(acknowledged) >= wanted, timeout_s=90, what=f"{by} more orders")


def kill_9(stack: NativeStack, *names: str) -> dict[str, Identity]:
    """SIGKILL processes as the kernel would, without a word to anybody; return who they were.

    With the tests' supervisor ends what it has started, maybe before its own turn has come.
    """
    killed = {name: stack.running()[name] for name in names}
    for identity in killed.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGKILL)
    return killed


async def back(stack: NativeStack, killed: dict[str, Identity]) -> None:
    def are_others_ready() -> bool:
        running = stack.running()
        return all(
            name in running and running[name] != before and stack.is_ready(name)
            for name, before in killed.items()
        )

    await eventually(are_others_ready, timeout_s=BACK_WITHIN_S, what=f"{sorted(killed)} back")


async def test_the_others_go_on_without_the_supervisor_and_up_starts_it_again(
    local: NativeStack, crowd: Crowd
) -> None:
    # First of all tests: what a supervisor of the tests has started ends with it.
    others = {name: who for name, who in local.running().items() if name != supervisor.NAME}
    kill_9(local, supervisor.NAME)
    await eventually(lambda: supervisor.NAME not in local.running())
    assert (await crowd.buyers[0].place([line(crowd.variant_id)])).status_code == 201
    local.start_supervisor()
    killed = kill_9(local, "payment-sandbox")
    await back(local, killed)
    running = local.running()
    assert all(running[name] == who for name, who in others.items() if name not in killed)


async def test_no_order_loses_its_mail_when_localstack_is_killed_under_load(
    local: NativeStack, crowd: Crowd
) -> None:
    """Its queues are memory, and the rows of what was in them say published."""
    async with crowd.buying() as acknowledged:
        await grown(acknowledged, 60)
        killed = kill_9(local, "localstack")
        await grown(acknowledged, 30)
        await back(local, killed)
        await grown(acknowledged, 30)
    await assert_invariants(local, within_s=120)


async def test_no_order_loses_its_mail_when_all_is_killed_at_once(
    local: NativeStack, crowd: Crowd
) -> None:
    """As if the machine had been switched off; nobody is there to bring anything back but up."""
    async with crowd.buying() as acknowledged:
        await grown(acknowledged, 60)
        everybody = sorted(local.running(), key=lambda name: name != supervisor.NAME)
        kill_9(local, *everybody)
        await asyncio.to_thread(_gone, local)
        local.up()
        local.start_supervisor()
        await grown(acknowledged, 30)
    await assert_invariants(local, within_s=120)


async def test_down_finishes_what_was_taken_and_up_loses_nothing(
    local: NativeStack, crowd: Crowd
) -> None:
    async with crowd.buying() as acknowledged:
        await grown(acknowledged, 60)
        await asyncio.to_thread(local.stop, drain=True)
        assert local.running() == {}
        local.up()
        local.start_supervisor()
        await grown(acknowledged, 30)
    await assert_invariants(local, within_s=120)


@pytest.mark.parametrize(
    "names",
    [("mysql-users",), ("redis",), PROCESS_NAMES],
    ids=["mysql", "redis", "all processes at once"],
)
async def test_what_is_killed_comes_back_by_itself_and_is_counted(
    local: NativeStack, crowd: Crowd, names: tuple[str, ...]
) -> None:
    before = read_records(local.layout.run)
    async with crowd.buying() as acknowledged:
        await grown(acknowledged, 10)
        killed = kill_9(local, *names)
        await back(local, killed)
        await grown(acknowledged, 10)
    after = read_records(local.layout.run)
    assert all(after[name].restarts > before[name].restarts for name in names)
    await assert_invariants(local, within_s=120)


def _gone(stack: NativeStack) -> None:
    ends_at = time.monotonic() + 30
    while stack.running():
        assert time.monotonic() < ends_at
        time.sleep(0.05)

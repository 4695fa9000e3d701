"""A process dies over an order, and the customer does not come back: the stock does."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from shop.stack.native import NativeStack
from tests.chaos.crashing import arm, available, place_or_fail, placed_again, variant_with
from tests.invariants import assert_invariants
from tests.shopper import Shopper
from tests.waiting import eventually

# A hold that the sweeper finds overdue while the test watches.
SHORT_HOLD = {"SHOP_RESERVATION_TTL_S": "2"}
HOLDERS = ("catalog", "order")


@pytest.fixture(scope="module")
def in_a_hurry(stack: NativeStack) -> Iterator[NativeStack]:
    """The stack with short holds; nobody who is killed for them says farewell."""
    start_anew(stack, SHORT_HOLD)
    yield stack
    start_anew(stack, {})


@pytest.fixture
def hasty(in_a_hurry: NativeStack) -> Iterator[NativeStack]:
    """The same, whole again after each test."""
    yield in_a_hurry
    in_a_hurry.start_processes(HOLDERS, SHORT_HOLD)


def start_anew(stack: NativeStack, env: dict[str, str]) -> None:
    for name in HOLDERS:
        stack.kill(name)
    stack.start_processes(HOLDERS, env)


@pytest.mark.parametrize(
    ("process", "point"),
    [
        ("catalog", "catalog.after_tx1_commit"),
        ("order", "order.after_tx1"),
        ("order", "order.before_tx2"),
        ("order", "order.tx2_before_commit"),
    ],
)
async def test_a_crash_that_nobody_retries_gives_the_stock_back_once(
    hasty: NativeStack, shopper: Shopper, seller: Shopper, process: str, point: str
) -> None:
    variant_id, key = await variant_with(seller, 3), uuid4().hex
    arm(hasty, process, point, SHORT_HOLD)

    await place_or_fail(shopper, variant_id, key)
    hasty.wait_dead(process)
    hasty.start_process(process, SHORT_HOLD)

    async def whole_again() -> bool:
        return await available(shopper, variant_id) == 3

    await eventually(whole_again, timeout_s=60, what="the sweeper releases the stock")
    late = await placed_again(shopper, variant_id, key)
    assert late.status_code in {201, 422, 409, 503}
    await assert_invariants(hasty)

"""Reservations moving on by call, by event and by the sweeper; each move once."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from catalog_service.clients.orders import OrderClient, Outcome, OutcomeUnknown
from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import ReservationNotFound, ReservationReleased
from catalog_service.services.reservations import confirm, release
from catalog_service.services.sweeper import Sweeper
from common_lib.clock import now
from common_lib.errors import Unavailable
from common_lib.events import Envelope, Event
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderCreated
from common_lib.ids import new_id
from common_lib.money import Money
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.order_events import deliver, deliver_together


async def test_releasing_twice_gives_the_stock_back_once(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    for _ in range(2):
        moved = await release(catalog.database, command.reservation_id, "test")
        assert moved.status is ReservationStatus.RELEASED
    shelf = await catalog.shelf(variant)
    assert (shelf.available, shelf.quantity) == (5, 5)
    assert shelf.adds_up


async def test_ten_releases_at_once_give_the_stock_back_once(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    calls = (release(catalog.database, command.reservation_id, "test") for _ in range(10))
    moved = await asyncio.gather(*calls)
    assert sum(bool(each.changed) for each in moved) == 1
    shelf = await catalog.shelf(variant)
    assert shelf.available == 5
    assert shelf.adds_up


async def test_releasing_what_was_never_reserved_is_not_found(catalog: Catalog) -> None:
    with pytest.raises(ReservationNotFound):
        await release(catalog.database, new_id(), "test")


async def test_consuming_takes_the_units_off_both_counters(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await confirm(catalog.database, command.reservation_id, ReservationStatus.CONSUMED)
    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.reserved) == (3, 0)
    assert shelf.adds_up


async def test_releasing_what_was_consumed_puts_it_back_on_the_shelf(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await confirm(catalog.database, command.reservation_id, ReservationStatus.CONSUMED)
    await release(catalog.database, command.reservation_id, "returned")
    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.reserved) == (5, 0)
    assert shelf.adds_up


async def test_confirming_what_was_released_is_refused(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await release(catalog.database, command.reservation_id, "test")
    with pytest.raises(ReservationReleased):
        await confirm(catalog.database, command.reservation_id, ReservationStatus.COMMITTED)


async def test_release_and_consume_at_once_leave_one_of_two_truths(catalog: Catalog) -> None:
    for _ in range(10):
        variant = await catalog.variant(5)
        command = await catalog.reserve((variant, 2))
        consumed = ReservationStatus.CONSUMED
        await asyncio.gather(
            release(catalog.database, command.reservation_id, "test"),
            confirm(catalog.database, command.reservation_id, consumed),
            return_exceptions=True,
        )
        shelf = await catalog.shelf(variant)
        assert (shelf.quantity, shelf.reserved) == (5, 0)
        assert shelf.adds_up


def event(kind: type[Event], reservation_id: UUID) -> Envelope:
    own: dict[type[Event], dict[str, Any]] = {
        OrderCreated: {"lines": (), "payment_method": "COD"},
        OrderCancelled: {"reason": "changed my mind"},
    }
    facts = {
        "order_id": new_id(),
        "order_number": "ORD-1",
        "user_id": new_id(),
        "email": "a@b.example",
        "full_name": "A B",
        "reservation_id": reservation_id,
        "total": Money(amount=1),
    }
    return Envelope.wrap(kind.model_validate(facts | own.get(kind, {})), source="order-service")


async def test_an_order_created_commits_its_reservation(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await deliver(catalog, event(OrderCreated, command.reservation_id))
    assert await catalog.status(command.reservation_id) == "COMMITTED"
    assert (await catalog.shelf(variant)).adds_up


@pytest.mark.parametrize("kinds", list(itertools.permutations([OrderCreated, OrderConfirmed])))
async def test_a_confirmed_order_is_consumed_in_any_order_of_events(
    catalog: Catalog, kinds: Sequence[type[Event]]
) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await deliver(catalog, *(event(kind, command.reservation_id) for kind in kinds))
    assert await catalog.status(command.reservation_id) == "CONSUMED"
    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.reserved) == (3, 0)
    assert shelf.adds_up


@pytest.mark.parametrize(
    "kinds", list(itertools.permutations([OrderCreated, OrderConfirmed, OrderCancelled]))
)
async def test_a_cancelled_order_gives_everything_back_in_any_order_of_events(
    catalog: Catalog, kinds: Sequence[type[Event]]
) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    await deliver(catalog, *(event(kind, command.reservation_id) for kind in kinds))
    assert await catalog.status(command.reservation_id) == "RELEASED"
    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.reserved) == (5, 0)
    assert shelf.adds_up


async def test_the_same_event_twice_counts_once(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    confirmed = event(OrderConfirmed, command.reservation_id)
    await deliver(catalog, confirmed, confirmed)
    assert (await catalog.shelf(variant)).quantity == 3


class FakeOrders(OrderClient):
    """Answers for the order service, or does not."""

    def __init__(self, outcome: Outcome | None) -> None:
        self.outcome = outcome
        self.asked: list[tuple[UUID, str, UUID]] = []

    async def abort(self, user_id: UUID, idempotency_key: str, reservation_id: UUID) -> Outcome:
        self.asked.append((user_id, idempotency_key, reservation_id))
        if self.outcome is None:
            raise Unavailable("away")
        return self.outcome


def sweeper(
    catalog: Catalog, orders: OrderClient, *, after: timedelta = timedelta(minutes=16)
) -> Sweeper:
    def then() -> datetime:
        return now() + after

    return Sweeper(catalog.database, orders, catalog.deps.announcements, lease_s=30, clock=then)


async def test_the_sweeper_commits_what_was_placed(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2), user_id=new_id(), idempotency_key="k")
    orders = FakeOrders(Outcome.PLACED)
    await sweeper(catalog, orders).sweep()
    assert await catalog.status(command.reservation_id) == "COMMITTED"
    assert (command.user_id, "k", command.reservation_id) in orders.asked
    assert (await catalog.shelf(variant)).reserved == 2


async def test_the_sweeper_releases_what_was_aborted(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2), user_id=new_id(), idempotency_key="k")
    await sweeper(catalog, FakeOrders(Outcome.ABORTED)).sweep()
    assert await catalog.status(command.reservation_id) == "RELEASED"
    shelf = await catalog.shelf(variant)
    assert shelf.available == 5
    assert shelf.adds_up


async def test_the_sweeper_waits_while_nobody_answers(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2), user_id=new_id(), idempotency_key="k")
    await sweeper(catalog, FakeOrders(None)).sweep()
    assert await catalog.status(command.reservation_id) == "HELD"
    later = timedelta(minutes=17)
    await sweeper(catalog, FakeOrders(Outcome.ABORTED), after=later).sweep()
    assert await catalog.status(command.reservation_id) == "RELEASED"


class OneUnknown(FakeOrders):
    """Cannot tell what became of one order; all others were aborted."""

    def __init__(self, unknown: UUID) -> None:
        super().__init__(Outcome.ABORTED)
        self.unknown = unknown

    async def abort(self, user_id: UUID, idempotency_key: str, reservation_id: UUID) -> Outcome:
        if reservation_id == self.unknown:
            raise OutcomeUnknown
        return await super().abort(user_id, idempotency_key, reservation_id)


async def test_one_order_nobody_can_tell_of_does_not_stop_the_others(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    first, second = [
        await catalog.reserve((variant, 1), user_id=new_id(), idempotency_key=str(n))
        for n in range(2)
    ]
    await sweeper(catalog, OneUnknown(first.reservation_id)).sweep()
    assert await catalog.status(first.reservation_id) == "HELD"
    assert await catalog.status(second.reservation_id) == "RELEASED"


async def test_the_sweeper_leaves_alone_what_is_not_due(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2), user_id=new_id(), idempotency_key="k")
    orders = FakeOrders(Outcome.ABORTED)
    await sweeper(catalog, orders, after=timedelta(minutes=14)).sweep()
    assert command.reservation_id not in [asked[2] for asked in orders.asked]
    assert await catalog.status(command.reservation_id) == "HELD"


async def test_a_hold_without_an_order_key_is_released_unasked(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    orders = FakeOrders(Outcome.ABORTED)
    await sweeper(catalog, orders).sweep()
    assert command.reservation_id not in [asked[2] for asked in orders.asked]
    assert await catalog.status(command.reservation_id) == "RELEASED"


async def test_two_sweepers_settle_each_hold_once(catalog: Catalog) -> None:
    variant = await catalog.variant(100)
    commands = [
        await catalog.reserve((variant, 1), user_id=new_id(), idempotency_key=str(n))
        for n in range(30)
    ]
    orders = FakeOrders(Outcome.ABORTED)
    await asyncio.gather(*(sweeper(catalog, orders).sweep() for _ in range(2)))
    asked = [reservation_id for _, _, reservation_id in orders.asked]
    assert all(asked.count(command.reservation_id) == 1 for command in commands)
    shelf = await catalog.shelf(variant)
    assert shelf.available == 100
    assert shelf.adds_up


async def test_what_ten_orders_tell_together_moves_each_as_it_would_alone(
    catalog: Catalog,
) -> None:
    variants = [await catalog.variant(50) for _ in range(3)]
    commands = [
        await catalog.reserve(*((variant, n + 1) for variant in variants)) for n in range(4)
    ]
    placed, confirmed, cancelled, late = [command.reservation_id for command in commands]
    await deliver(catalog, event(OrderCreated, late))

    await deliver_together(
        catalog,
        event(OrderCreated, placed),
        event(OrderConfirmed, confirmed),
        event(OrderCreated, confirmed),
        event(OrderConfirmed, cancelled),
        event(OrderCancelled, cancelled),
        event(OrderConfirmed, late),
    )

    statuses = [await catalog.status(each) for each in (placed, confirmed, cancelled, late)]
    assert statuses == ["COMMITTED", "CONSUMED", "RELEASED", "CONSUMED"]
    for variant in variants:
        shelf = await catalog.shelf(variant)
        assert (shelf.quantity, shelf.reserved) == (50 - 2 - 4, 1)
        assert shelf.adds_up


async def test_one_event_about_nothing_holds_up_a_batch_and_no_event_of_it_alone(
    catalog: Catalog,
) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 2))
    good, lost = event(OrderConfirmed, command.reservation_id), event(OrderConfirmed, new_id())

    with pytest.raises(ReservationNotFound):
        await deliver_together(catalog, good, lost)
    assert await catalog.status(command.reservation_id) == "HELD"
    await deliver(catalog, good)

    assert await catalog.status(command.reservation_id) == "CONSUMED"
    assert (await catalog.shelf(variant)).adds_up


async def test_two_workers_with_the_same_events_move_each_reservation_once(
    catalog: Catalog,
) -> None:
    variant = await catalog.variant(50)
    commands = [await catalog.reserve((variant, 1)) for _ in range(10)]
    told = [event(OrderConfirmed, command.reservation_id) for command in commands]

    await asyncio.gather(
        *(deliver_together(catalog, *order) for order in (told, told[::-1]) * 3),
        return_exceptions=True,
    )
    await deliver(catalog, *told)

    shelf = await catalog.shelf(variant)
    assert (shelf.quantity, shelf.reserved) == (40, 0)
    assert shelf.adds_up

"""Of ample stock the counters are read, not locked, until the moment something is taken."""

import asyncio

import asyncmy.errors
import pytest

from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import ReserveCommand, admit
from catalog_service.queries import reservations as tx1
from catalog_service.services.reservations import release
from common_lib.clock import now
from common_lib.database import is_null_refused
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog, order
from tests.integration.catalog_service.crowds import AWAY, all_of, held
from tests.waiting import eventually


async def test_a_counter_that_was_only_read_is_not_taken_to_its_threshold(
    catalog: Catalog,
) -> None:
    """Who took the others meanwhile may have told of it or not; that is decided under the lock."""
    variant = await catalog.variant(10, reorder_level=4)
    command = order((variant, 3))
    async with catalog.database.driver() as connection:
        admission = admit([command], await tx1.read_stock(connection, [variant]), now())
        assert admission.is_ample()
        await catalog.reserve((variant, 3))
        with pytest.raises(asyncmy.errors.IntegrityError) as refusal:
            await tx1.write_and_commit(connection, admission, now())
    assert is_null_refused(refusal.value)
    shelf = await catalog.shelf(variant)
    assert (shelf.available, shelf.held) == (7, 3)
    assert shelf.adds_up


async def test_processes_that_cross_a_threshold_together_tell_of_it_once(
    open_catalog: OpenCatalog,
) -> None:
    both = [await open_catalog(redis_url=AWAY) for _ in range(2)]
    variant = await both[0].variant(60, reorder_level=30)
    answers = await all_of(both, [order((variant, 1)) for _ in range(60)])
    assert len(held(answers)) == 60
    assert await both[0].events(variant) == ["LOW_STOCK_ALERT", "OUT_OF_STOCK"]
    assert (await both[0].shelf(variant)).adds_up


async def test_reservations_are_written_while_another_holds_the_counter(catalog: Catalog) -> None:
    """Of ample stock; only the taking itself waits for the counter's lock."""
    variant = await catalog.variant(50)
    mine = order((variant, 1))
    async with catalog.database.driver() as other:
        await tx1.read_stock(other, [variant], is_locking=True)
        reserving = asyncio.create_task(catalog.deps.batcher.reserve(mine))
        await eventually(lambda: is_being_written(catalog, mine), timeout_s=5)
        assert not reserving.done()
        await other.rollback()
    assert (await reserving)[0].reservation_id == mine.reservation_id
    assert (await catalog.shelf(variant)).adds_up


async def is_being_written(catalog: Catalog, command: ReserveCommand) -> bool:
    """Look at what is not committed yet."""
    async with catalog.database.driver() as connection, connection.cursor() as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        found = await cursor.execute(
            "SELECT 1 FROM stock_movements WHERE reservation_id = %s",
            (command.reservation_id.bytes,),
        )
        return bool(found)


async def test_a_release_of_what_is_just_being_written_gives_its_units_back(
    catalog: Catalog,
) -> None:
    variant = await catalog.variant(50)
    mine = order((variant, 2))
    async with catalog.database.driver() as other:
        await tx1.read_stock(other, [variant], is_locking=True)
        reserving = asyncio.create_task(catalog.deps.batcher.reserve(mine))
        await eventually(lambda: is_being_written(catalog, mine), timeout_s=5)
        releasing = asyncio.create_task(release(catalog.database, mine.reservation_id, "test"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(releasing), 0.1)
        await other.rollback()
    await reserving
    assert (await releasing).status is ReservationStatus.RELEASED
    shelf = await catalog.shelf(variant)
    assert (shelf.reserved, shelf.held) == (0, 0)
    assert shelf.adds_up

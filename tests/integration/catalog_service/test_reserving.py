"""TX1 on a real server: nobody oversells, whoever asks, however often."""

import asyncio
from functools import partial
from typing import Any

import asyncmy.errors
import pytest
import sqlalchemy as sa

from catalog_service.models import Inventory, ProductStatus, SellerStatus
from catalog_service.models.reservations import (
    HeldStock,
    InsufficientStock,
    ReservationKeyReused,
    ReservationReleased,
    ReserveCommand,
    UnknownVariant,
    admit,
)
from catalog_service.queries import reservations as tx1
from catalog_service.services.reservations import (
    known_reservations,
    release,
    reserve_together,
)
from common_lib.clock import now
from common_lib.database import WriteSession, is_check_violation, is_null_refused
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog, order
from tests.integration.catalog_service.crowds import AWAY, all_of, held
from tests.waiting import eventually


async def test_100_buyers_of_10_units_get_exactly_10(catalog: Catalog) -> None:
    variant = await catalog.variant(10)
    answers = await all_of([catalog], [order((variant, 1)) for _ in range(100)])
    assert len(held(answers)) == 10
    refused = [a for a in answers if not isinstance(a, HeldStock)]
    assert all(isinstance(answer, InsufficientStock) for answer in refused)
    shelf = await catalog.shelf(variant)
    assert (shelf.available, shelf.reserved) == (0, 10)
    assert shelf.adds_up


async def test_two_processes_without_a_lock_do_not_oversell(open_catalog: OpenCatalog) -> None:
    """With Redis away there is no lock at all: the guarded update alone decides."""
    both = [await open_catalog(redis_url=AWAY, sold_out_ttl_s=0) for _ in range(2)]
    variant = await both[0].variant(25)
    answers = await all_of(both, [order((variant, 1)) for _ in range(100)])
    assert len(held(answers)) == 25
    assert (await both[0].shelf(variant)).adds_up


async def test_two_processes_with_the_lock_do_not_oversell(open_catalog: OpenCatalog) -> None:
    both = [await open_catalog() for _ in range(2)]
    variant = await both[0].variant(25)
    answers = await all_of(both, [order((variant, 1)) for _ in range(100)])
    assert len(held(answers)) == 25
    assert (await both[0].shelf(variant)).adds_up


async def test_who_holds_a_unit_of_one_process_is_not_told_sold_out_by_another(
    open_catalog: OpenCatalog,
) -> None:
    """The reply of the first may have been lost with it; the second knows the item as sold out."""
    first, second = [await open_catalog(sold_out_ttl_s=60) for _ in range(2)]
    variant = await first.variant(1)
    mine = order((variant, 1))
    await first.deps.batcher.reserve(mine)
    with pytest.raises(InsufficientStock):
        await second.reserve((variant, 1))
    again, _ = await second.deps.batcher.reserve(mine)
    assert again.reservation_id == mine.reservation_id
    assert (await first.shelf(variant)).reserved == 1


async def test_a_look_up_waits_for_the_reservation_that_is_just_being_written(
    catalog: Catalog,
) -> None:
    mine = order((await catalog.variant(1), 1))
    database = catalog.deps.database
    async with database.driver() as connection:
        await write_uncommitted(connection, mine)
        looking = asyncio.ensure_future(known_reservations(database, {mine.reservation_id}))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(looking), 0.1)
        await connection.commit()
    assert set(await looking) == {mine.reservation_id}


async def write_uncommitted(connection: Any, command: ReserveCommand) -> None:
    """Insert the bare reservation and leave the transaction open."""
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        await cursor.execute(
            "INSERT INTO reservations (id, order_id, fingerprint, status, expires_at, created_at,"
            " updated_at) VALUES (%s, %s, %s, 'HELD', NOW(6) + INTERVAL 1 DAY, NOW(6), NOW(6))",
            (command.reservation_id.bytes, command.order_id.bytes, command.fingerprint),
        )


async def test_orders_of_the_same_items_in_any_order_all_pass(open_catalog: OpenCatalog) -> None:
    both = [await open_catalog() for _ in range(2)]
    a, b, c = [await both[0].variant(200) for _ in range(3)]
    mixes = [[(a, 1), (b, 1)], [(b, 1), (a, 1)], [(c, 1), (b, 1)], [(c, 1), (a, 1), (b, 1)]]
    answers = await all_of(both, [order(*mixes[n % 4]) for n in range(80)])
    assert len(held(answers)) == 80
    for variant, taken in ((a, 60), (b, 80), (c, 40)):
        shelf = await both[0].shelf(variant)
        assert shelf.reserved == taken
        assert shelf.adds_up


async def test_nothing_is_held_of_an_order_with_a_short_line(catalog: Catalog) -> None:
    plenty, scarce = await catalog.variant(10), await catalog.variant(1)
    with pytest.raises(InsufficientStock) as refusal:
        await catalog.reserve((plenty, 2), (scarce, 3))
    assert refusal.value.details["items"] == [
        {"variantId": str(scarce), "requested": 3, "available": 1}
    ]
    assert (await catalog.shelf(plenty)).reserved == 0


async def test_the_same_reservation_again_gets_its_stored_answer(catalog: Catalog) -> None:
    variant = await catalog.variant(1)
    command = order((variant, 1))
    first, _ = await catalog.deps.batcher.reserve(command)
    again, _ = await catalog.deps.batcher.reserve(
        order((variant, 1), reservation_id=command.reservation_id)
    )
    assert again.order_id == first.order_id
    assert again.lines[0].offer.price_minor == first.lines[0].offer.price_minor
    assert (await catalog.shelf(variant)).reserved == 1


async def test_the_same_reservation_again_is_not_refused_once_the_item_is_sold_out(
    open_catalog: OpenCatalog,
) -> None:
    catalog = await open_catalog(sold_out_ttl_s=0)
    variant = await catalog.variant(1)
    lucky = order((variant, 1))
    await catalog.deps.batcher.reserve(lucky)
    again, late = await all_of([catalog], [lucky, order((variant, 1))])
    assert again.reservation_id == lucky.reservation_id
    assert isinstance(late, InsufficientStock)
    assert (await catalog.shelf(variant)).adds_up


async def test_a_guard_that_finds_less_than_was_locked_commits_nothing(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = order((variant, 1))
    async with catalog.database.driver() as connection:
        view = await tx1.read_stock(connection, [variant], is_locking=True)
        admission = admit([command], view, now())
        admission.taken[variant] = 6
        with pytest.raises(asyncmy.errors.IntegrityError) as refusal:
            await tx1.write_and_commit(connection, admission, now())
    assert is_null_refused(refusal.value)
    shelf = await catalog.shelf(variant)
    assert (shelf.available, shelf.held) == (5, 0)
    assert shelf.adds_up


async def test_the_stored_answer_keeps_the_price_of_then(catalog: Catalog) -> None:
    variant = await catalog.variant(5, price_minor=100)
    command = await catalog.reserve((variant, 1))

    async def raise_price(session: WriteSession) -> None:
        update = sa.text("UPDATE product_variants SET price_minor = 999 WHERE id = :id")
        await session.execute(update, {"id": variant.bytes})

    await catalog.database.transact(raise_price)
    again, _ = await catalog.deps.batcher.reserve(command)
    assert again.lines[0].offer.price_minor == 100


async def test_the_same_reservation_at_once_from_two_processes_is_made_once(
    open_catalog: OpenCatalog,
) -> None:
    both = [await open_catalog(redis_url=AWAY) for _ in range(2)]
    variant = await both[0].variant(50)
    command = order((variant, 1))
    answers = await all_of(both, [command] * 20)
    assert len(held(answers)) == 20
    shelf = await both[0].shelf(variant)
    assert shelf.reserved == 1
    assert shelf.adds_up


async def test_another_body_under_the_same_reservation_is_refused(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 1))
    other = order((variant, 1), reservation_id=command.reservation_id, fingerprint="other")
    with pytest.raises(ReservationKeyReused):
        await catalog.deps.batcher.reserve(other)


async def test_a_released_reservation_is_not_given_again(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 1))
    await release(catalog.database, command.reservation_id, "test")
    with pytest.raises(ReservationReleased):
        await catalog.deps.batcher.reserve(command)


@pytest.mark.parametrize("status", [ProductStatus.DRAFT, ProductStatus.ARCHIVED])
async def test_what_is_not_active_cannot_be_reserved(
    catalog: Catalog, status: ProductStatus
) -> None:
    variant = await catalog.variant(5, status=status)
    with pytest.raises(UnknownVariant):
        await catalog.reserve((variant, 1))


async def test_a_suspended_store_sells_nothing(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller(SellerStatus.SUSPENDED)
    variant = await catalog.variant(5, seller_id=seller_id)
    with pytest.raises(UnknownVariant):
        await catalog.reserve((variant, 1))


async def test_an_unknown_variant_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UnknownVariant):
        await catalog.reserve((new_id(), 1))


async def test_odd_texts_are_stored_as_they_are(catalog: Catalog) -> None:
    variant = await catalog.variant(5, name="It's 100% \\ 'new' \"x\" %s 🚚")
    key = "k'; DROP TABLE reservations; -- %s \\ 🚚"
    command = await catalog.reserve((variant, 1), user_id=new_id(), idempotency_key=key)
    again, _ = await catalog.deps.batcher.reserve(command)
    assert again.lines[0].offer.name == "It's 100% \\ 'new' \"x\" %s 🚚 (M)"
    stored = sa.text("SELECT idempotency_key FROM reservations WHERE id = :id")
    assert (await catalog.rows(stored, id=command.reservation_id.bytes))[0][0] == key


async def test_low_stock_is_told_of_once_per_crossing(catalog: Catalog) -> None:
    variant = await catalog.variant(10, reorder_level=4)
    await all_of([catalog], [order((variant, 1)) for _ in range(8)])
    assert await catalog.events(variant) == ["LOW_STOCK_ALERT"]
    last = await catalog.reserve((variant, 2))
    assert await catalog.events(variant) == ["LOW_STOCK_ALERT", "OUT_OF_STOCK"]
    await release(catalog.database, last.reservation_id, "test")
    catalog.deps.batcher.forget_sold_out([variant])
    await catalog.reserve((variant, 1))
    assert await catalog.events(variant) == ["LOW_STOCK_ALERT", "OUT_OF_STOCK", "BACK_IN_STOCK"]


async def test_a_second_crossing_is_told_of_again(catalog: Catalog) -> None:
    variant = await catalog.variant(6, reorder_level=4)
    first = await catalog.reserve((variant, 3))
    await release(catalog.database, first.reservation_id, "test")
    await catalog.reserve((variant, 3))
    assert await catalog.events(variant) == ["LOW_STOCK_ALERT"] * 2


async def test_a_batch_costs_the_same_statements_whatever_its_size(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = await catalog.variant(1000)
    sent: list[int] = []
    run = tx1._run

    async def counted(connection: Any, *statements: str) -> Any:
        sent.append(len(statements))
        return await run(connection, *statements)

    monkeypatch.setattr(tx1, "_run", counted)
    for size in (1, 50):
        await reserve_together(
            catalog.database, [order((variant, 1)) for _ in range(size)], ttl_s=900
        )
    assert sent[:2] == sent[2:]


async def test_a_lock_held_by_another_delays_but_does_not_stop(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    redis = catalog.deps.announcements._redis
    await redis.set(f"lock:inventory:{variant}", b"another", px=30_000)
    held_stock, timings = await catalog.deps.batcher.reserve(order((variant, 1)))
    assert held_stock.lines[0].quantity == 1
    assert timings.lock_ms is None
    assert await redis.get(f"lock:inventory:{variant}") == b"another"


async def test_the_lock_is_free_after_a_batch(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    _, timings = await catalog.deps.batcher.reserve(order((variant, 1)))
    assert timings.lock_ms is not None
    await catalog.deps.batcher.close()
    assert await catalog.deps.announcements._redis.get(f"lock:inventory:{variant}") is None


@pytest.mark.parametrize(
    "change",
    [
        {"reserved": Inventory.quantity + 1},
        {"reserved": -1},
        {"quantity": Inventory.reserved - 1},
    ],
)
async def test_the_check_stands_behind_every_update(
    catalog: Catalog, change: dict[str, Any]
) -> None:
    variant = await catalog.variant(5)

    async def work(session: WriteSession) -> None:
        update = sa.update(Inventory).where(Inventory.variant_id == variant)
        await session.execute(update.values(change))

    with pytest.raises(sa.exc.DBAPIError) as refusal:
        await catalog.database.transact(work)
    assert is_check_violation(refusal.value)


async def test_a_batch_holds_the_lock_of_its_variant_while_it_runs(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    redis = catalog.deps.announcements._redis
    async with catalog.database.connection() as other, other.begin():
        locking = sa.text("SELECT 1 FROM inventory WHERE variant_id = :id FOR UPDATE")
        await other.execute(locking, {"id": variant.bytes})
        reserving = asyncio.create_task(catalog.deps.batcher.reserve(order((variant, 5))))
        assert await eventually(partial(redis.get, f"lock:inventory:{variant}"))
    held_stock, _ = await reserving
    assert held_stock.lines[0].quantity == 5

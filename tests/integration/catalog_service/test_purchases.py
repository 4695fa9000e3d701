"""Who bought what: counted once per order, whatever its events do on their way."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import ReserveCommand
from catalog_service.services.reservations import confirm, release
from common_lib.auth import Role
from common_lib.database import Database
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderEvent
from common_lib.ids import new_id
from shop.migrations import upgrade
from shop.stack.native import NativeStack
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.order_events import deliver, told


async def bought(catalog: Catalog, buyer: UUID) -> dict[UUID, int]:
    query = sa.text(
        "SELECT product_id, SUM(quantity) FROM purchases WHERE user_id = :id GROUP BY 1"
    )
    rows = await catalog.rows(query, id=buyer.bytes)
    return {UUID(bytes=product_id): int(units) for product_id, units in rows}


async def sold(catalog: Catalog, product_id: UUID) -> tuple[int, int]:
    """Return the product's total and its version."""
    query = sa.text("SELECT total_sold, version FROM products WHERE id = :id")
    total, version = (await catalog.rows(query, id=product_id.bytes))[0]
    return int(total), int(version)


async def test_a_confirmed_order_makes_a_purchase_and_counts_its_units(catalog: Catalog) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2))

    await deliver(catalog, told(OrderConfirmed, command, buyer))

    assert await bought(catalog, buyer) == {product: 2}
    assert await sold(catalog, product) == (2, 1)


async def test_variants_of_one_product_are_one_purchase(catalog: Catalog) -> None:
    first, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(first)
    second = await catalog.variant(5)
    move = sa.text("UPDATE product_variants SET product_id = :product WHERE id = :id")
    async with catalog.database.connection() as connection:
        await connection.execute(move, {"product": product.bytes, "id": second.bytes})
        await connection.commit()
    command = await catalog.reserve((first, 2), (second, 1))

    await deliver(catalog, told(OrderConfirmed, command, buyer))

    assert await bought(catalog, buyer) == {product: 3}
    assert (await sold(catalog, product))[0] == 3


ALL = [OrderCreated, OrderConfirmed, OrderCancelled]


@pytest.mark.parametrize("kinds", list(itertools.permutations([OrderCreated, OrderConfirmed])))
async def test_a_purchase_stands_in_any_order_of_events(
    catalog: Catalog, kinds: Sequence[type[OrderEvent]]
) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2))
    await deliver(catalog, *(told(kind, command, buyer) for kind in kinds))
    assert await bought(catalog, buyer) == {product: 2}
    assert await sold(catalog, product) == (2, 1)


@pytest.mark.parametrize(
    "kinds",
    [
        *itertools.permutations(ALL),
        *itertools.permutations([OrderConfirmed, OrderCancelled]),
        *itertools.permutations([*ALL, OrderCancelled]),
        *itertools.permutations([*ALL, OrderConfirmed]),
    ],
)
async def test_a_cancelled_order_leaves_no_purchase_in_any_order_of_events(
    catalog: Catalog, kinds: Sequence[type[OrderEvent]]
) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2))

    await deliver(catalog, *(told(kind, command, buyer) for kind in kinds))

    assert await bought(catalog, buyer) == {}
    assert await sold(catalog, product) == (0, 1)
    assert (await catalog.shelf(variant)).available == 5


async def test_the_same_message_twice_counts_once(catalog: Catalog) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2))
    confirmed = told(OrderConfirmed, command, buyer)
    await deliver(catalog, confirmed, confirmed, told(OrderConfirmed, command, buyer))
    assert (await sold(catalog, product))[0] == 2
    cancelled = told(OrderCancelled, command, buyer)
    await deliver(catalog, cancelled, cancelled, confirmed, told(OrderCancelled, command, buyer))
    assert (await sold(catalog, product))[0] == 0
    assert await bought(catalog, buyer) == {}


async def test_another_order_of_the_same_buyer_stays_when_one_is_cancelled(
    catalog: Catalog,
) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    first, second = await catalog.reserve((variant, 1)), await catalog.reserve((variant, 2))
    for command in (first, second):
        await deliver(catalog, told(OrderConfirmed, command, buyer))
    await deliver(catalog, told(OrderCancelled, first, buyer))
    assert await bought(catalog, buyer) == {product: 2}
    assert (await sold(catalog, product))[0] == 2


async def test_a_call_that_consumes_counts_for_whom_the_reservation_names(catalog: Catalog) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2), user_id=buyer)
    for _ in range(2):
        await confirm(catalog.database, command.reservation_id, ReservationStatus.CONSUMED)
    await deliver(catalog, told(OrderConfirmed, command, buyer))
    assert await bought(catalog, buyer) == {product: 2}
    assert (await sold(catalog, product))[0] == 2
    await release(catalog.database, command.reservation_id, "returned")
    assert await bought(catalog, buyer) == {}
    assert (await sold(catalog, product))[0] == 0


async def test_the_event_names_the_buyer_a_call_did_not_know(catalog: Catalog) -> None:
    variant, buyer = await catalog.variant(5), new_id()
    product = await catalog.product_of(variant)
    command = await catalog.reserve((variant, 2))
    await confirm(catalog.database, command.reservation_id, ReservationStatus.CONSUMED)
    assert (await sold(catalog, product))[0] == 0
    await deliver(catalog, told(OrderConfirmed, command, buyer))
    assert await bought(catalog, buyer) == {product: 2}
    assert (await sold(catalog, product))[0] == 2


async def test_confirmed_and_cancelled_at_once_leave_nothing(catalog: Catalog) -> None:
    for _ in range(10):
        variant, buyer = await catalog.variant(5), new_id()
        product = await catalog.product_of(variant)
        command = await catalog.reserve((variant, 2))
        events = [told(kind, command, buyer) for kind in (OrderConfirmed, OrderCancelled)]
        await asyncio.gather(*(deliver(catalog, envelope) for envelope in events))
        assert await bought(catalog, buyer) == {}
        assert (await sold(catalog, product))[0] == 0
        assert (await catalog.shelf(variant)).adds_up


async def test_orders_of_the_same_goods_in_any_sequence_do_not_stand_in_each_others_way(
    catalog: Catalog,
) -> None:
    """Forty orders name two products in both sequences while the shop sells and restocks."""
    variants = [await catalog.variant(200) for _ in range(2)]
    products = [await catalog.product_of(variant) for variant in variants]
    both = [[(variant, 1) for variant in each] for each in (variants, variants[::-1])]
    commands = [await catalog.reserve(*both[n % 2]) for n in range(40)]
    admin = catalog.bearer(Role.ADMIN)
    ready = asyncio.Barrier(60)

    async def settle(n: int, command: ReserveCommand) -> None:
        await ready.wait()
        await deliver(catalog, told(OrderConfirmed, command, new_id()))
        if n % 4 == 0:
            await deliver(catalog, told(OrderCancelled, command, new_id()))

    async def restock(n: int) -> None:
        await ready.wait()
        path = f"/api/inventory/{variants[n % 2]}/adjust"
        answer = await catalog.client.post(
            path, json={"delta": 1, "reason": "delivery"}, headers=admin
        )
        assert answer.status_code == 200, answer.text

    async def buy(n: int) -> None:
        await ready.wait()
        await catalog.reserve((variants[n % 2], 1))

    await asyncio.gather(
        *(settle(n, command) for n, command in enumerate(commands)),
        *(restock(n) for n in range(10)),
        *(buy(n) for n in range(10)),
    )

    assert [await sold(catalog, product) for product in products] == [(30, 1), (30, 1)]
    for variant in variants:
        shelf = await catalog.shelf(variant)
        assert (shelf.quantity, shelf.reserved) == (200 + 5 - 30, 5)
        assert shelf.adds_up


async def test_a_seller_edits_while_the_product_sells(catalog: Catalog) -> None:
    """No sale makes an edit stale, and no edit loses a sale."""
    variant = await catalog.variant(50)
    product = await catalog.product_of(variant)
    commands = [await catalog.reserve((variant, 1)) for _ in range(20)]
    admin = catalog.bearer(Role.ADMIN)
    page = (await catalog.client.get(f"/api/products/{product}")).json()
    body = {name: page[name] for name in ("description", "categoryId")}
    ready = asyncio.Barrier(2)

    async def edit() -> int:
        await ready.wait()
        version = 1
        for n in range(5):
            answer = await catalog.client.put(
                f"/api/products/{product}",
                json=body | {"name": f"Kurta {n}", "version": version},
                headers=admin,
            )
            assert answer.status_code == 200, answer.text
            version = answer.json()["version"]
        return version

    async def sell() -> None:
        await ready.wait()
        await asyncio.gather(
            *(deliver(catalog, told(OrderConfirmed, command, new_id())) for command in commands)
        )

    version, _ = await asyncio.gather(edit(), sell())
    assert await sold(catalog, product) == (20, version)


async def test_what_was_sold_before_purchases_were_kept_is_counted_by_the_migration(
    parts: NativeStack, open_database: Callable[[str], Database]
) -> None:
    url = parts.database_url("catalog")
    server, name = url.rpartition("/")[0], f"scratch_catalog_{new_id().hex[-8:]}"
    admin, old = open_database(url), open_database(f"{server}/{name}")
    ids = {each: new_id().bytes for each in ("category", "product", "buyer", "order", "other")}
    rows = (
        (
            "INSERT INTO categories (id, name, slug, created_at, updated_at)"
            " VALUES (:category, 'C', 'c', NOW(), NOW())"
        ),
        (
            "INSERT INTO products (id, category_id, name, slug, description, status,"
            " min_price_minor, created_at, updated_at)"
            " VALUES (:product, :category, 'P', 'p', '', 'ACTIVE', 1, NOW(), NOW())"
        ),
        (
            "INSERT INTO reservations (id, order_id, fingerprint, user_id, status, expires_at,"
            " created_at, updated_at)"
            " VALUES (:order, :order, 'f', :buyer, 'CONSUMED', NOW(), NOW(), NOW()),"
            " (:other, :other, 'f', :buyer, 'RELEASED', NOW(), NOW(), NOW())"
        ),
        (
            "INSERT INTO reservation_lines (reservation_id, variant_id, product_id, sku, name,"
            " quantity, unit_price_minor, currency)"
            " VALUES (:order, :buyer, :product, 's', 'n', 2, 1, 'INR'),"
            " (:order, :other, :product, 't', 'n', 3, 1, 'INR'),"
            " (:other, :buyer, :product, 's', 'n', 7, 1, 'INR')"
        ),
    )
    async with admin.connection() as connection:
        await connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        await asyncio.to_thread(upgrade, "catalog", f"{server}/{name}", "0001")
        async with old.connection() as connection:
            for row in rows:
                await connection.execute(sa.text(row), ids)
            await connection.commit()
        await asyncio.to_thread(upgrade, "catalog", f"{server}/{name}")
        async with old.connection() as connection:
            query = sa.text("SELECT user_id, product_id, order_id, quantity FROM purchases")
            purchases = [tuple(row) for row in (await connection.execute(query)).all()]
            totals = (await connection.execute(sa.text("SELECT total_sold FROM products"))).all()
    finally:
        async with admin.connection() as connection:
            await connection.execute(sa.text(f"DROP DATABASE {name}"))

    assert purchases == [(ids["buyer"], ids["product"], ids["order"], 5)]
    assert [row[0] for row in totals] == [5]

"""Stocking a large shop: whole batches, nothing twice, and books that add up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from common_lib.database import Database
from common_lib.settings import Profile
from shop import stocking
from shop.audit import RULES
from shop.data.assortment import Assortment
from shop.data.reader import load
from shop.data.shelves import load_shelves
from shop.seed import Databases, Filled, seed
from shop.stack.errors import StackError

ASSORTMENT = Assortment(load_shelves())
BY_HAND = len(load().products)
MADE_UP = 2_500
TABLES = ("products", "product_variants", "inventory", "stock_movements")


@pytest.fixture
async def databases(scratch_database: Callable[[str], Awaitable[str]]) -> Databases:
    return Databases(
        user=await scratch_database("user"),
        catalog=await scratch_database("catalog"),
        order=await scratch_database("order"),
    )


@pytest.fixture
async def catalog(databases: Databases, open_database: Callable[[str], Database]) -> Database:
    """The catalogue with the products written by hand."""
    await seed(databases, profile=Profile.TEST)
    return open_database(databases.catalog)


async def test_the_catalogue_has_as_many_products_as_were_asked_for(
    databases: Databases, open_database: Callable[[str], Database]
) -> None:
    filled = await filled_with(databases, BY_HAND + MADE_UP)

    assert filled[-1] == Filled("made-up products", rows=MADE_UP, added=MADE_UP)
    products, variants, *others = await counts(open_database(databases.catalog))
    assert products == BY_HAND + MADE_UP
    assert set(others) == {variants}


async def test_seeding_again_adds_nothing_and_more_adds_the_rest(databases: Databases) -> None:
    await filled_with(databases, BY_HAND + 1_200)

    again = await filled_with(databases, BY_HAND + 1_200)
    more = await filled_with(databases, BY_HAND + MADE_UP)

    assert [f.added for f in again] == [0] * len(again)
    assert more[-1].added == MADE_UP - 1_200


async def test_the_books_of_a_large_shop_add_up(catalog: Database) -> None:
    await stocking.stock(catalog, ASSORTMENT, MADE_UP, lambda _count: None)

    for rule in RULES:
        if rule.database == "catalog":
            assert await rows(catalog, rule.query) == [], rule.sentence
    rated = await rows(catalog, "SELECT id FROM products WHERE review_count OR avg_rating")
    assert rated == []


async def test_prices_of_lists_are_those_of_the_cheapest_variant(catalog: Database) -> None:
    await stocking.stock(catalog, ASSORTMENT, 1_000, lambda _count: None)

    wrong = await rows(
        catalog,
        "SELECT p.slug FROM products p JOIN product_variants v ON v.product_id = p.id"
        " GROUP BY p.id HAVING MIN(v.price_minor) <> MAX(p.min_price_minor)",
    )
    assert wrong == []


async def test_a_run_that_is_cut_off_leaves_whole_batches_and_the_next_goes_on(
    catalog: Database,
) -> None:
    before = await counts(catalog)
    reported = asyncio.Event()
    cut_off = asyncio.ensure_future(
        stocking.stock(catalog, ASSORTMENT, 5_000, lambda _count: reported.set())
    )
    await reported.wait()
    cut_off.cancel()
    await asyncio.gather(cut_off, return_exceptions=True)

    written = (await counts(catalog))[0] - before[0]
    assert 0 < written < 5_000
    assert written % stocking.BATCH == 0
    added = await stocking.stock(catalog, ASSORTMENT, 5_000, lambda _count: None)
    assert added == 5_000 - written


async def test_two_runs_at_once_write_each_product_once(catalog: Database) -> None:
    before = await counts(catalog)

    added = await asyncio.gather(
        *(stocking.stock(catalog, ASSORTMENT, MADE_UP, lambda _count: None) for _ in range(2))
    )

    assert sum(added) == MADE_UP
    assert (await counts(catalog))[0] == before[0] + MADE_UP


async def test_a_slug_that_another_product_has_is_told(catalog: Database) -> None:
    taken = ASSORTMENT.product(7)
    await write(
        catalog, "UPDATE products SET slug = :slug WHERE slug = 'zentari-z5'", slug=taken.key
    )

    with pytest.raises(StackError, match="another row has a key of the seeds"):
        await stocking.stock(catalog, ASSORTMENT, 1_000, lambda _count: None)


async def filled_with(databases: Databases, products: int) -> list[Filled]:
    return await seed(databases, profile=Profile.TEST, products=products)


async def counts(database: Database) -> list[int]:
    """Return the number of rows of each table of the catalogue's goods."""
    found = []
    for table in TABLES:
        query = f"SELECT COUNT(*) FROM {table}"  # noqa: S608 - our own names
        found.append(int((await rows(database, query))[0][0]))
    return found


async def rows(database: Database, query: str) -> Sequence[Any]:
    async with database.connection() as connection:
        return (await connection.execute(sa.text(query))).all()


async def write(database: Database, statement: str, **values: Any) -> None:
    async with database.connection() as connection:
        await connection.execute(sa.text(statement), values)
        await connection.commit()

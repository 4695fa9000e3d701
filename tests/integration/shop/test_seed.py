"""Seeding real databases: what is there afterwards, and that a second run changes nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import astuple, replace
from typing import Any

import pytest
import sqlalchemy as sa
from passlib.hash import bcrypt_sha256
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from common_lib.settings import Profile
from shop.data.reader import load
from shop.seed import DEV_PASSWORD, Databases, Filled, seed
from shop.stack.errors import StackError
from user_service.settings import Settings

Content = dict[str, list[tuple[Any, ...]]]
SEEDS = load()


@pytest.fixture
async def databases(scratch_database: Callable[[str], Awaitable[str]]) -> Databases:
    return Databases(
        user=await scratch_database("user"),
        catalog=await scratch_database("catalog"),
        order=await scratch_database("order"),
    )


async def test_seeding_fills_the_tables(databases: Databases) -> None:
    filled = await fill(databases)

    assert {f.table: f.added for f in filled} == {
        "users": len(SEEDS.accounts),
        "addresses": 1,
        "categories": len(SEEDS.categories),
        "sellers": len(SEEDS.sellers),
        "products": len(SEEDS.products),
        "product_variants": len(SEEDS.variants),
        "inventory": len(SEEDS.variants),
        "stock_movements": len(SEEDS.variants),
        "coupons": 3,
    }


async def test_seeding_twice_changes_nothing(databases: Databases) -> None:
    await fill(databases)
    before = await content(databases)

    filled = await fill(databases)

    assert [f.added for f in filled] == [0] * len(filled)
    assert await content(databases) == before


async def test_seeding_again_keeps_what_has_happened_since(databases: Databases) -> None:
    await fill(databases)
    await write(databases.catalog, "UPDATE inventory SET quantity = quantity + 7, version = 9")
    await write(databases.catalog, "UPDATE products SET name = 'Renamed', version = version + 1")
    await write(databases.user, "UPDATE users SET full_name = 'Somebody Else'")
    await write(databases.order, "UPDATE coupons SET used_count = 1")
    before = await content(databases)

    await fill(databases)

    assert await content(databases) == before


async def test_seeding_puts_back_only_what_is_missing(databases: Databases) -> None:
    await fill(databases)
    await write(databases.order, "DELETE FROM coupons WHERE code = 'FLAT200'")
    await write(databases.user, "DELETE FROM addresses")

    filled = await fill(databases)

    assert {f.table: f.added for f in filled if f.added} == {"coupons": 1, "addresses": 1}


async def test_the_ledger_explains_the_stock_and_nothing_is_announced(
    databases: Databases,
) -> None:
    await fill(databases)

    unexplained = await read(
        databases.catalog,
        "SELECT variant_id FROM inventory i WHERE reserved <> 0 OR quantity <>"
        " (SELECT SUM(quantity_delta) FROM stock_movements m WHERE m.variant_id = i.variant_id)",
    )
    assert unexplained == []
    for url in astuple(databases):
        assert await read(url, "SELECT id FROM outbox") == []


async def test_all_that_is_sold_can_be_bought(databases: Databases) -> None:
    await fill(databases)

    statuses = await read(
        databases.catalog,
        "SELECT DISTINCT p.status, s.status, v.is_active, v.currency FROM product_variants v"
        " JOIN products p ON p.id = v.product_id JOIN sellers s ON s.id = p.seller_id",
    )
    cheapest = await read(
        databases.catalog,
        "SELECT p.slug FROM products p JOIN product_variants v ON v.product_id = p.id"
        " GROUP BY p.id HAVING MIN(v.price_minor) <> MAX(p.min_price_minor)",
    )
    assert statuses == [("ACTIVE", "ACTIVE", 1, "INR")]
    assert cheapest == []


async def test_the_logins_are_verified_and_take_the_documented_password(
    databases: Databases,
) -> None:
    await fill(databases)

    rows = await read(
        databases.user, "SELECT email, role, status, email_verified, password_hash FROM users"
    )
    logins = {email: rest for email, *rest in rows}
    assert logins["admin@shop.example"][:3] == ["ADMIN", "ACTIVE", 1]
    assert logins["seller@shop.example"][:3] == ["SELLER", "ACTIVE", 1]
    assert logins["demo@shop.example"][:3] == ["CUSTOMER", "ACTIVE", 1]
    password_hash = logins["demo@shop.example"][3]
    assert bcrypt_sha256.verify(DEV_PASSWORD, password_hash)
    usual = Settings.model_fields["bcrypt_rounds"].default
    assert bcrypt_sha256.from_string(password_hash).rounds == usual


async def test_the_customer_has_one_default_address(databases: Databases) -> None:
    await fill(databases)

    rows = await read(
        databases.user,
        "SELECT u.email, a.is_default FROM addresses a JOIN users u ON u.id = a.user_id",
    )
    assert rows == [("demo@shop.example", 1)]


async def test_a_login_taken_by_another_account_is_told(databases: Databases) -> None:
    await fill(databases)
    await write(databases.user, "DELETE FROM addresses")
    await write(databases.user, "UPDATE users SET id = REVERSE(id) WHERE role = 'ADMIN'")

    with pytest.raises(StackError, match="users holds other rows under 1"):
        await fill(databases)


async def test_a_database_without_tables_is_told(databases: Databases) -> None:
    await write(databases.order, "DROP TABLE coupons")

    with pytest.raises(StackError, match="orders_db has no tables yet"):
        await fill(databases)


async def test_a_database_that_does_not_answer_is_told(databases: Databases) -> None:
    url = sa.make_url(databases.user).set(port=1).render_as_string(hide_password=False)

    with pytest.raises(StackError, match="users_db does not answer"):
        await fill(replace(databases, user=url))


async def fill(databases: Databases) -> list[Filled]:
    return await seed(databases, profile=Profile.TEST)


async def content(databases: Databases) -> Content:
    """Return every row of every table of the three databases."""
    return {
        f"{number}.{table}": await rows_of(url, table)
        for number, url in enumerate(astuple(databases))
        for (table,) in await read(url, "SHOW TABLES")
    }


async def rows_of(url: str, table: str) -> list[tuple[Any, ...]]:
    rows = await read(url, f"SELECT * FROM {table}")  # noqa: S608 - a name from SHOW TABLES
    return sorted(rows, key=repr)


async def read(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.text(statement))).all()
    return [tuple(row) for row in rows]


async def write(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(sa.text(statement))

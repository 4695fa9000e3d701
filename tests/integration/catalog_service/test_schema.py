"""What the database itself refuses, and that the migration makes what the models say."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from catalog_service.models import Base, Category, Review, WishlistItem
from common_lib.database import is_check_violation, is_duplicate_key
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog


def differences(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return list(compare_metadata(context, Base.metadata))


async def test_the_migration_makes_what_the_models_say(catalog: Catalog) -> None:
    async with catalog.database.connection() as connection:
        assert await connection.run_sync(differences) == []


def review(product_id: Any, **changes: Any) -> Review:
    return Review(
        **{"id": new_id(), "product_id": product_id, "user_id": new_id(), "rating": 5, "body": ""}
        | changes
    )


async def test_a_user_reviews_a_product_once(catalog: Catalog) -> None:
    product_id, user_id = await catalog.product_of(await catalog.variant(1)), new_id()
    await catalog.save(review(product_id, user_id=user_id))
    with pytest.raises(sa.exc.IntegrityError) as refusal:
        await catalog.save(review(product_id, user_id=user_id))
    assert is_duplicate_key(refusal.value, "uq_reviews_user_id_product_id")


async def test_a_wishlist_holds_a_product_once(catalog: Catalog) -> None:
    product_id, user_id = await catalog.product_of(await catalog.variant(1)), new_id()
    await catalog.save(WishlistItem(user_id=user_id, product_id=product_id))
    with pytest.raises(sa.exc.IntegrityError):
        await catalog.save(WishlistItem(user_id=user_id, product_id=product_id))


@pytest.mark.parametrize("rating", [0, 6])
async def test_a_rating_is_one_to_five(catalog: Catalog, rating: int) -> None:
    product_id = await catalog.product_of(await catalog.variant(1))
    with pytest.raises(sa.exc.DBAPIError) as refusal:
        await catalog.save(review(product_id, rating=rating))
    assert is_check_violation(refusal.value)


async def test_a_category_is_not_its_own_parent(catalog: Catalog) -> None:
    category_id = new_id()
    with pytest.raises(sa.exc.DBAPIError) as refusal:
        await catalog.save(
            Category(id=category_id, parent_id=category_id, name="Loop", slug=category_id.hex)
        )
    assert is_check_violation(refusal.value)


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("sellers", "status", {"PENDING", "ACTIVE", "SUSPENDED"}),
        ("products", "status", {"DRAFT", "ACTIVE", "ARCHIVED"}),
        ("reviews", "status", {"PENDING", "APPROVED", "REJECTED"}),
        ("reservations", "status", {"HELD", "COMMITTED", "CONSUMED", "RELEASED"}),
    ],
)
async def test_enumerations_are_the_databases_own(
    catalog: Catalog, table: str, column: str, words: set[str]
) -> None:
    query = sa.text(
        "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = :table AND COLUMN_NAME = :column"
    )
    declared = (await catalog.rows(query, table=table, column=column))[0][0]
    assert declared == "enum(" + ",".join(f"'{w}'" for w in _in_order(declared, words)) + ")"


def _in_order(declared: str, words: set[str]) -> list[str]:
    position: Callable[[str], int] = declared.index
    return sorted(words, key=position)


async def test_product_and_inventory_carry_a_version(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    await asyncio.gather(*(catalog.reserve((variant, 1)) for _ in range(3)))
    query = sa.text("SELECT version FROM inventory WHERE variant_id = :id")
    assert (await catalog.rows(query, id=variant.bytes))[0][0] > 1

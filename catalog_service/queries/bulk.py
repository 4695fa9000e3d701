"""Many rows changed by one statement, where the ORM would send one for each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson

from catalog_service.models.products import Product, ProductVariant
from common_lib.database import WriteSession, to_column

_PRODUCT_COLUMNS: Final = (
    "name",
    "description",
    "category_id",
    "status",
    "hidden_at",
    "min_price_minor",
    "version",
    "updated_at",
)
_VARIANT_COLUMNS: Final = (
    "name",
    "price_minor",
    "compare_at_price_minor",
    "attributes",
    "is_active",
    "updated_at",
)


async def write_products(session: WriteSession, products: Sequence[Product]) -> None:
    """Write changed products and variants, whose rows are locked, and move their versions on.

    They leave the session: from here on they are what was written, and no more.
    """
    changed = [v for v in session.dirty if isinstance(v, ProductVariant)]
    for row in (*products, *changed):
        session.expunge(row)
    for product in products:
        product.version += 1
    await _update(session, "products", _PRODUCT_COLUMNS, products)
    await _update(session, "product_variants", _VARIANT_COLUMNS, changed)


async def _update(
    session: WriteSession,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Product] | Sequence[ProductVariant],
) -> None:
    """Join the table to the new values by id; names come from this module alone."""
    if not rows:
        return
    named = ("id", *columns)
    first = ", ".join(f"%s AS {name}" for name in named)
    other = f" UNION ALL SELECT {', '.join(['%s'] * len(named))}" * (len(rows) - 1)
    wanted = ", ".join(f"old.{name} = new.{name}" for name in columns)
    source = f"SELECT {first}{other}"
    statement = f"UPDATE {table} old JOIN ({source}) new ON new.id = old.id SET {wanted}"  # noqa: S608 - no name in it is a client's
    values = tuple(_literal(getattr(row, name)) for row in rows for name in named)
    connection = await session.connection()
    await connection.exec_driver_sql(statement, values)


def _literal(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        return to_column(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return orjson.dumps(value).decode()
    return value

"""orders_db as migrated: its tables, its constraints, its partitions."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from common_lib.clock import now
from common_lib.database import is_check_violation
from order_service.models import Base
from order_service.models.partitions import LAST_PARTITION, months_until
from order_service.queries.partitions import keep_months_ahead, partition_names
from tests.integration.order_service.conftest import OpenShop
from tests.schemas import tables_of
from tests.shopper import line


async def test_there_are_seven_business_tables_and_no_unknown_ones(shop: OpenShop) -> None:
    tables = {name for (name,) in await shop.rows("SHOW TABLES")}

    assert tables == tables_of("order")


async def test_the_migration_makes_what_the_models_say(shop: OpenShop) -> None:
    def difference(connection: Connection) -> Any:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    async with shop.database.connection() as connection:
        assert await connection.run_sync(difference) == []


async def test_orders_are_partitioned_three_months_ahead(shop: OpenShop) -> None:
    names = await partition_names(shop.database)

    expected = {month.name for month in months_until(now())}
    assert expected <= set(names)
    assert LAST_PARTITION in names


async def test_an_order_lies_in_the_partition_of_its_month(shop: OpenShop) -> None:
    placed = await shop.somebody().place([line(shop.sell())])
    order_id = bytes.fromhex(placed.json()["id"].replace("-", ""))

    async with shop.database.connection() as connection:
        found = await connection.exec_driver_sql(
            f"SELECT COUNT(*) FROM orders PARTITION (p{now():%Y%m}) WHERE id = %s",  # noqa: S608
            (order_id,),
        )

    assert found.scalar() == 1


async def test_reading_an_order_touches_one_partition(shop: OpenShop) -> None:
    order_id = (await shop.somebody().place([line(shop.sell())])).json()["id"]
    moment = datetime.fromtimestamp(int(order_id[:8] + order_id[9:13], 16) / 1000, tz=UTC)

    async with shop.database.connection() as connection:
        version = str((await connection.exec_driver_sql("SELECT VERSION()")).scalar())
        # MySQL 9 prints trees unless told otherwise; MariaDB shows partitions on request only.
        how = "PARTITIONS" if "MariaDB" in version else "FORMAT=TRADITIONAL"
        plan = await connection.exec_driver_sql(
            f"EXPLAIN {how} SELECT * FROM orders WHERE id = %s AND created_at = %s",  # noqa: S608
            (bytes.fromhex(order_id.replace("-", "")), moment.replace(tzinfo=None)),
        )
        (row,) = plan.mappings().all()

    assert row["partitions"] == f"p{now():%Y%m}"


async def test_the_worker_adds_the_months_that_are_missing(shop: OpenShop) -> None:
    later = datetime(2027, 6, 15, tzinfo=UTC)

    added = await keep_months_ahead(shop.database, later)
    again = await keep_months_ahead(shop.database, later)

    assert added[-1] == "p202709"
    assert again == []
    names = await partition_names(shop.database)
    assert {month.name for month in months_until(later)} | {LAST_PARTITION} == set(names)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orders SET total_minor = total_minor + 1 LIMIT 1",
        "UPDATE orders SET discount_minor = subtotal_minor + 1 LIMIT 1",
        "UPDATE order_items SET quantity = 0 LIMIT 1",
        "UPDATE order_items SET line_total_minor = line_total_minor + 1 LIMIT 1",
        "UPDATE payments SET refunded_minor = captured_minor + 1 LIMIT 1",
        "UPDATE payments SET captured_minor = amount_minor + 1 LIMIT 1",
    ],
)
async def test_the_database_refuses_what_cannot_be(shop: OpenShop, change: str) -> None:
    await shop.somebody().place([line(shop.sell())])

    async with shop.database.connection() as connection:
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(sa.text(change))

    assert is_check_violation(refused.value)

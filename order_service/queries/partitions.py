"""Looking at the partitions of `orders`, and adding to them."""

from datetime import datetime

import sqlalchemy as sa

from common_lib.database import Database
from order_service.models.partitions import missing_months, split_last_partition

_SELECT = sa.text(
    "SELECT partition_name FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = 'orders' AND partition_name IS NOT NULL"
)
_LOCK = sa.text("SELECT GET_LOCK(CONCAT('partitions:', DATABASE()), 0)")
_UNLOCK = sa.text("SELECT RELEASE_LOCK(CONCAT('partitions:', DATABASE()))")


async def partition_names(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [name for (name,) in await connection.execute(_SELECT)]


async def keep_months_ahead(database: Database, at: datetime) -> list[str]:
    """Split the months that are missing off the last partition and return their names.

    One process at a time; repeating it changes nothing. DDL commits by itself.
    """
    async with database.connection() as connection:
        if (await connection.execute(_LOCK)).scalar() != 1:
            return []
        try:
            names = [name for (name,) in await connection.execute(_SELECT)]
            months = missing_months(names, at)
            if months:
                await connection.exec_driver_sql(split_last_partition(months))
        finally:
            await connection.execute(_UNLOCK)
    return [month.name for month in months]

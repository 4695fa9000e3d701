"""Keeping the partitions of `orders` ahead of the calendar."""

from datetime import datetime

import structlog

from common_lib.database import Database
from order_service.queries import partitions as sql

log = structlog.get_logger(__name__)


async def keep_partitions_ahead(database: Database, at: datetime) -> list[str]:
    """Have three months after `at`'s ready and return the ones added; safe to repeat."""
    added = await sql.keep_months_ahead(database, at)
    if added:
        log.info("orders.partitions_added", months=added)
    return added

"""Fills the shelves of a large shop: the made-up products, their variants, stock and ledger.

A batch of products is written in one transaction with all that hangs on it, so a run that is cut
off leaves no product by halves, and the next run goes on where it ended.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from common_lib.database import Database, WriteSession, is_duplicate_key
from shop.data.assortment import Assortment
from shop.data.records import Product
from shop.data.tables import Batch, listings
from shop.stack.errors import StackError

BATCH: Final = 1_000
# One batch is made up while the database writes the other.
_WRITERS: Final = 2

Report = Callable[[int], None]


async def stock(database: Database, assortment: Assortment, count: int, report: Report) -> int:
    """Write the first `count` products that are missing and return how many were.

    `report` is told of each batch how many it was. Raises StackError if another row has a slug or
    a SKU of theirs. Safe to repeat, and to run twice at once.
    """
    starts = iter(range(0, count, BATCH))

    async def write() -> int:
        added = 0
        for start in starts:
            numbers = range(start, min(start + BATCH, count))
            added += await _write(database, [assortment.product(n) for n in numbers])
            report(len(numbers))
        return added

    return sum(await asyncio.gather(*(write() for _ in range(_WRITERS))))


async def _write(database: Database, products: Sequence[Product]) -> int:
    """Insert what is missing; whoever was quicker by a moment is looked at once more."""
    try:
        return await database.transact(lambda session: _insert_missing(session, products))
    except IntegrityError as error:
        if not is_duplicate_key(error):
            raise
    try:
        return await database.transact(lambda session: _insert_missing(session, products))
    except IntegrityError as error:
        fix = "empty the databases with `make reset`, then seed again"
        raise StackError(f"another row has a key of the seeds: {error.orig}", fix) from error


async def _insert_missing(session: WriteSession, products: Sequence[Product]) -> int:
    wanted = Batch("products", [{"id": product.id} for product in products])
    key = wanted.table.c.id
    known = set(await session.scalars(select(key).where(key.in_(wanted.ids))))
    missing = [product for product in products if product.id not in known]
    for batch in listings(missing) if missing else ():
        await session.execute(insert(batch.table), batch.in_key_order())
    return len(missing)

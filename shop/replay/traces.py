"""The traces events leave where they were handled, by which one knows that they arrived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from common_lib.database import Database

# Nobody is written to about these. All others count as arrived once their mail was sent: what is
# named here too few is published again and dropped, what is named too much would be lost.
NEVER_MAILED: Final = frozenset({"PRODUCT_CREATED", "PRODUCT_UPDATED", "OUT_OF_STOCK"})
# Whom the catalog's and the order service's consumers note in their inboxes.
IN_CATALOG: Final = frozenset(
    {
        "ORDER_CREATED",
        "ORDER_CONFIRMED",
        "ORDER_CANCELLED",
        "PRODUCT_CREATED",
        "PRODUCT_UPDATED",
        "OUT_OF_STOCK",
        "BACK_IN_STOCK",
        "USER_DELETED",
    }
)
IN_ORDER: Final = frozenset({"PRODUCT_UPDATED", "USER_DELETED"})

_SENT: Final = sa.text(
    "SELECT event_id FROM notification_logs WHERE event_id IN :ids AND status = 'SENT'"
).bindparams(sa.bindparam("ids", expanding=True))
_NOTED: Final = sa.text(
    "SELECT event_id FROM inbox WHERE consumer = :consumer AND event_id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))


@dataclass(frozen=True, slots=True)
class Published:
    """A row of an outbox that went out."""

    id: bytes
    event_type: str
    body: bytes


async def arrived(databases: Mapping[str, Database], rows: Sequence[Published]) -> frozenset[bytes]:
    """Return the ids of the events that have been handled by all who handle their kind."""
    if not rows:
        return frozenset()
    ids = [row.id for row in rows]
    mailed = await _ids(databases["notification"], _SENT, ids)
    in_catalog = await _ids(databases["catalog"], _NOTED, ids, consumer="catalog-queue")
    in_order = await _ids(databases["order"], _NOTED, ids, consumer="order-queue")
    return frozenset(
        row.id
        for row in rows
        if (row.event_type in NEVER_MAILED or row.id in mailed)
        and (row.event_type not in IN_CATALOG or row.id in in_catalog)
        and (row.event_type not in IN_ORDER or row.id in in_order)
    )


async def _ids(
    database: Database, query: sa.TextClause, ids: Sequence[bytes], **values: str
) -> frozenset[bytes]:
    async with database.read_own_writes() as session:
        found = await session.execute(query, {"ids": list(ids), **values})
        return frozenset(bytes(row[0]) for row in found)

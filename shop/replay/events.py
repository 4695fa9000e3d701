"""Sets published events back to unpublished; the relays publish them again, under the same ids.

What has left its traces at all who handle it stays as it is. Whatever else is published twice is
dropped by the consumers' inboxes, so too much does no harm.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from common_lib.database import Database, WriteSession, to_column
from common_lib.events import types_with_token
from shop.replay import links
from shop.replay.traces import Published, arrived

WITH_OUTBOX: Final = ("user", "catalog", "order")
_PAGE: Final = 500
_FIRST: Final = bytes(16)
_PUBLISHED: Final = sa.text(
    "SELECT id, event_type, body FROM outbox WHERE id > :after AND published_at >= :since"
    " ORDER BY id LIMIT :limit"
)
_SET_BACK: Final = sa.text(
    "UPDATE outbox SET published_at = NULL, attempts = 0, next_attempt_at = NULL, parked_at = NULL,"
    " last_error = NULL WHERE id IN :ids AND published_at IS NOT NULL"
).bindparams(sa.bindparam("ids", expanding=True))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one service's events: published again, links renewed, and left alone.

    `arrived` were handled before; `ended` are links that nobody waits for any more.
    """

    service: str
    events: int = 0
    links: int = 0
    arrived: int = 0
    ended: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.service,
            self.events + other.events,
            self.links + other.links,
            self.arrived + other.arrived,
            self.ended + other.ended,
        )


async def replay(databases: Mapping[str, Database], service: str, since: datetime) -> Replayed:
    """Have one service's events since that moment published again, unless they arrived.

    Raises Unavailable if one of the databases is away. Safe to repeat, and while the shop is open.
    """
    done = Replayed(service)
    async for page in _pages(databases[service], since):
        done += await _replay_page(databases, service, page)
    return done


async def _replay_page(
    databases: Mapping[str, Database], service: str, page: Sequence[Published]
) -> Replayed:
    known = await arrived(databases, page)
    lost = [row for row in page if row.id not in known]
    with_token = types_with_token()
    plain = [row.id for row in lost if row.event_type not in with_token]
    set_back = await _set_back(databases[service], plain) if plain else 0
    mails = [row for row in lost if row.event_type in with_token]
    renewed = [await links.renew(databases[service], row) for row in mails]
    return Replayed(service, set_back, sum(renewed), len(known), len(renewed) - sum(renewed))


async def _set_back(database: Database, ids: Sequence[bytes]) -> int:
    async def work(session: WriteSession) -> int:
        done = await session.execute(_SET_BACK, {"ids": list(ids)})
        count: int = done.rowcount  # type: ignore[attr-defined]
        return count

    return await database.transact(work)


async def _pages(database: Database, since: datetime) -> AsyncIterator[list[Published]]:
    after = _FIRST
    while True:
        values = {"after": after, "since": to_column(since), "limit": _PAGE}
        async with database.read_own_writes() as session:
            found = (await session.execute(_PUBLISHED, values)).all()
        if not found:
            return
        page = [Published(bytes(row[0]), row[1], bytes(row[2])) for row in found]
        yield page
        after = page[-1].id

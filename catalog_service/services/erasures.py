"""Who was erased, so that nothing of theirs is written any more (ADR 0031).

A token ends within a second of the erasure, so its holder may still be writing. The erasure is made
known in a transaction before the one that looks for what there is; a writer writes first and asks
then, in one transaction. So one of the two sees the other, in no circle of locks.
"""

from uuid import UUID

from catalog_service.queries import people
from common_lib.auth import TokenRevoked
from common_lib.database import Database, WriteSession


async def note(database: Database, user_id: UUID) -> None:
    """Refuse from now on what the person writes; `people.forget` comes after it. Safe to repeat."""
    await database.transact(lambda session: people.note_erased(session, user_id))


async def ensure_none(session: WriteSession, user_id: UUID) -> None:
    """Raise TokenRevoked if the person who has just written in this transaction was erased."""
    await session.flush()
    if await people.is_erased(session, user_id):
        raise TokenRevoked

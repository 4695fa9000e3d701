"""Every SELECT and row lock of notifications_db."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.mysql import insert

from common_lib.database import AnySession, WriteSession
from common_lib.events.users import dead_address, is_dead_address
from notification_service.models import NotificationLog
from notification_service.schemas import Channel, NotificationStatus


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; None leaves a member open. `before` is the last id seen."""

    user_id: UUID | None = None
    order_id: UUID | None = None
    event_type: str | None = None
    status: NotificationStatus | None = None
    before: UUID | None = None


async def insert_unless_known(session: WriteSession, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows; one with the same event and channel stays as it is."""
    statement = insert(NotificationLog).values([dict(row) for row in rows])
    await session.execute(statement.on_duplicate_key_update(id=NotificationLog.id))


async def lock_by_event(
    session: WriteSession, event_id: UUID, channel: Channel
) -> NotificationLog | None:
    found = await lock_by_events(session, [event_id], channel)
    return found[0] if found else None


async def lock_by_events(
    session: WriteSession, event_ids: Collection[UUID], channel: Channel
) -> Sequence[NotificationLog]:
    """Lock these events' rows, in the order of their ids."""
    select_rows = (
        select(NotificationLog)
        .where(NotificationLog.event_id.in_(event_ids), NotificationLog.channel == channel)
        .order_by(NotificationLog.event_id)
        .with_for_update()
    )
    return (await session.scalars(select_rows)).all()


async def newest(session: AnySession, wanted: Filter, limit: int) -> Sequence[NotificationLog]:
    """Return at most `limit` rows, newest first, older than `wanted.before`."""
    statement = select(NotificationLog).order_by(NotificationLog.id.desc()).limit(limit)
    if wanted.user_id is not None:
        statement = statement.where(NotificationLog.user_id == wanted.user_id)
    if wanted.order_id is not None:
        statement = statement.where(NotificationLog.order_id == wanted.order_id)
    if wanted.event_type is not None:
        statement = statement.where(NotificationLog.event_type == wanted.event_type)
    if wanted.status is not None:
        statement = statement.where(NotificationLog.status == wanted.status)
    if wanted.before is not None:
        statement = statement.where(NotificationLog.id < wanted.before)
    return (await session.scalars(statement)).all()


async def forgotten_among(session: AnySession, user_ids: Collection[UUID]) -> set[UUID]:
    """Return who of these was erased, by the eldest of the rows: then it is addressed to nobody.

    Later ones are never written, so there is no need to look further.
    """
    if not user_ids:
        return set()
    eldest = (
        select(func.min(NotificationLog.id))
        .where(NotificationLog.user_id.in_(user_ids))
        .group_by(NotificationLog.user_id)
    )
    rows = await session.execute(
        select(NotificationLog.user_id, NotificationLog.recipient).where(
            NotificationLog.id.in_(eldest)
        )
    )
    return {row.user_id for row in rows if row.user_id and is_dead_address(row.recipient)}


async def forget(session: WriteSession, user_id: UUID) -> None:
    """Take the user's address out of all rows about the user."""
    await session.execute(
        update(NotificationLog)
        .where(NotificationLog.user_id == user_id)
        .values(recipient=dead_address(user_id), last_error=None)
    )


async def oldest_of_user(
    session: AnySession, user_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[NotificationLog]:
    """Return at most `limit` rows about the user, oldest first, beyond the one named."""
    statement = select(NotificationLog).where(NotificationLog.user_id == user_id)
    if after is not None:
        statement = statement.where(NotificationLog.id > after)
    return (await session.scalars(statement.order_by(NotificationLog.id).limit(limit))).all()


async def mark_dead(session: WriteSession, event_ids: Sequence[UUID]) -> None:
    """Note that these events' messages lie in the dead letter queue."""
    await session.execute(
        update(NotificationLog)
        .where(
            NotificationLog.event_id.in_(event_ids),
            NotificationLog.status.in_([NotificationStatus.PENDING, NotificationStatus.FAILED]),
        )
        .values(status=NotificationStatus.DLQ, lease_token=None, lease_until=None)
    )

"""What was taken from tokens while they live: sessions that ended, users whose rights changed.

Both come in pages, the oldest change first, after the place of the last row of the page before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from common_lib.database import AnySession
from user_service.models import LoginSession, RefreshToken, User
from user_service.schemas.enums import UserRole, UserStatus

EndedSession = Row[datetime | None, UUID]
ChangedUser = Row[datetime | None, UUID, UserRole, UserStatus]


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order of changes."""

    at: datetime
    id: UUID


async def ended_sessions(session: AnySession, after: Place, limit: int) -> Sequence[EndedSession]:
    """Return when sessions ended, and their ids."""
    found = await session.execute(
        select(LoginSession.ended_at, LoginSession.id)
        .where(_after(LoginSession.ended_at, LoginSession.id, after))
        .order_by(LoginSession.ended_at, LoginSession.id)
        .limit(limit)
    )
    return found.all()


async def living_tokens(
    session: AnySession, families: Sequence[UUID], since: datetime
) -> Sequence[UUID]:
    """Return the ids of these sessions' access tokens that may still be valid."""
    found = await session.scalars(
        select(RefreshToken.jti).where(
            RefreshToken.family_id.in_(families), RefreshToken.created_at > since
        )
    )
    return found.all()


async def changed_users(session: AnySession, after: Place, limit: int) -> Sequence[ChangedUser]:
    """Return when users' role or status changed, their ids, and what both are now."""
    found = await session.execute(
        select(User.access_changed_at, User.id, User.role, User.status)
        .where(_after(User.access_changed_at, User.id, after))
        .order_by(User.access_changed_at, User.id)
        .limit(limit)
    )
    return found.all()


def _after(
    moment: InstrumentedAttribute[Any], id_: InstrumentedAttribute[UUID], place: Place
) -> ColumnElement[bool]:
    """Compare so that MySQL reads a range of the index, as it does not for (a, b) > (?, ?)."""
    return and_(moment >= place.at, or_(moment > place.at, id_ > place.id))

"""What orders_db knows of one user, and what of it is blanked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert

from common_lib.database import AnySession, WriteSession
from order_service.models import (
    ErasedUser,
    Order,
    Payment,
    ReturnRefund,
    Shipment,
    StatusChange,
    idempotency_keys,
)
from order_service.schemas.enums import ReturnStatus, ReturnType

_GOODS: Final = (ReturnType.RETURN, ReturnType.EXCHANGE)
_RETURN_ENDED: Final = (ReturnStatus.REFUNDED, ReturnStatus.REJECTED)


async def note_erased(session: WriteSession, user_id: UUID, moment: datetime) -> None:
    """Note whom to forget; one who was noted before is gone through once more."""
    row = insert(ErasedUser).values(user_id=user_id, erased_at=moment, due_at=moment)
    await session.execute(row.on_duplicate_key_update(due_at=moment))


async def claim_erased(
    session: WriteSession, moment: datetime, until: datetime
) -> ErasedUser | None:
    """Take the user who has waited longest; nobody else does until the moment given."""
    found = await session.scalar(
        sa.select(ErasedUser)
        .where(ErasedUser.due_at <= moment)
        .order_by(ErasedUser.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if found is not None:
        found.due_at = until
    return found


async def erased_at(session: AnySession, user_id: UUID) -> datetime:
    return (await session.get_one(ErasedUser, user_id)).erased_at


async def set_due(session: WriteSession, user_id: UUID, due_at: datetime | None) -> None:
    await session.execute(
        sa.update(ErasedUser).where(ErasedUser.user_id == user_id).values(due_at=due_at)
    )


async def lock_orders_of(
    session: WriteSession, user_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Order]:
    """Lock some of a user's orders, oldest first, beyond the one named."""
    statement = sa.select(Order).where(Order.user_id == user_id)
    if after is not None:
        statement = statement.where(Order.id > after)
    found = await session.scalars(statement.order_by(Order.id).limit(limit).with_for_update())
    return found.all()


async def orders_with_goods_coming_back(
    session: AnySession, order_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return which of these orders have goods that are still to be fetched from the customer."""
    found = await session.scalars(
        sa.select(ReturnRefund.order_id).where(
            ReturnRefund.order_id.in_(order_ids),
            ReturnRefund.type.in_(_GOODS),
            ReturnRefund.status.not_in(_RETURN_ENDED),
        )
    )
    return frozenset(found)


async def blank_remarks(session: WriteSession, order_ids: Sequence[UUID]) -> None:
    """Take out of these orders what people wrote in words of their own."""
    await session.execute(
        sa.update(StatusChange).where(StatusChange.order_id.in_(order_ids)).values(note=None)
    )
    await session.execute(
        sa.update(ReturnRefund).where(ReturnRefund.order_id.in_(order_ids)).values(reason="")
    )


async def blank_answers(session: WriteSession, user_id: UUID, scope: str) -> None:
    """Empty the answers kept for repeated requests; the keys stay, for they are decisions."""
    await session.execute(
        sa.update(idempotency_keys)
        .where(idempotency_keys.c.user_id == user_id, idempotency_keys.c.scope == scope)
        .values(response_body=None)
    )


async def payments_of(session: AnySession, order_ids: Sequence[UUID]) -> Sequence[Payment]:
    statement = sa.select(Payment).where(Payment.order_id.in_(order_ids))
    return (await session.scalars(statement.order_by(Payment.attempt))).all()


async def returns_of(session: AnySession, order_ids: Sequence[UUID]) -> Sequence[ReturnRefund]:
    statement = sa.select(ReturnRefund).where(ReturnRefund.order_id.in_(order_ids))
    return (await session.scalars(statement.order_by(ReturnRefund.id))).all()


async def shipments_of(session: AnySession, order_ids: Sequence[UUID]) -> Sequence[Shipment]:
    statement = sa.select(Shipment).where(Shipment.order_id.in_(order_ids))
    return (await session.scalars(statement.order_by(Shipment.id))).all()


async def changes_of(session: AnySession, order_ids: Sequence[UUID]) -> Sequence[StatusChange]:
    statement = sa.select(StatusChange).where(StatusChange.order_id.in_(order_ids))
    return (await session.scalars(statement.order_by(StatusChange.order_version))).all()

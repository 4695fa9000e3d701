"""The metadata of orders_db and its technical tables.

`orders` is partitioned by month. MySQL wants the partition column in every unique key of such a
table and takes no foreign key to or from it, so the uniqueness of order numbers and idempotency
keys lives in unpartitioned tables written in the same transaction.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Enum, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common_lib.consumer import define_inbox
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime, new_metadata
from common_lib.idempotency import define_idempotency_keys
from common_lib.outbox import define_outbox


class Base(DeclarativeBase):
    metadata = new_metadata()


outbox = define_outbox(Base.metadata)
inbox = define_inbox(Base.metadata)
idempotency_keys = define_idempotency_keys(Base.metadata)


def enum_column(enumeration: type[StrEnum]) -> Enum:
    """Return a native ENUM holding the members' values."""
    return Enum(enumeration, values_callable=lambda members: [m.value for m in members])


class OrderNumber(Base):
    """The number a customer reads aloud, unique over all partitions of `orders`."""

    __tablename__ = "order_numbers"
    __table_args__ = (TABLE_OPTIONS,)

    order_number: Mapped[str] = mapped_column(String(24), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)


class UnpaidOrder(Base):
    """A slot taken by an open unpaid order, until it is paid, cancelled or overdue.

    The primary key is what keeps a customer from hoarding stock: there are only so many slots.
    `reminded_at` is when the customer was told that the time is running out, so that it is once.
    The table holds open orders alone, so the sweeper of overdue ones reads a handful of rows.
    """

    __tablename__ = "unpaid_orders"
    __table_args__ = (
        UniqueConstraint("order_id"),
        Index("ix_unpaid_orders_due_at", "due_at"),
        TABLE_OPTIONS,
    )

    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    order_id: Mapped[UUID] = mapped_column(Id)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

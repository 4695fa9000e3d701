"""Returns, exchanges and money given back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.models.base import Base, enum_column
from order_service.models.payments import Payment
from order_service.schemas.enums import ReturnStatus, ReturnType


class ReturnRefund(Base):
    """A return of goods, or money given back.

    An APPROVED row of type REFUND is a durable command: a worker gives the money back once, by
    `next_action_at`, and marks it REFUNDED.
    """

    __tablename__ = "returns_refunds"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="amount_range"),
        CheckConstraint("quantity IS NULL OR quantity > 0", name="quantity_positive"),
        CheckConstraint("type <> 'REFUND' OR payment_id IS NOT NULL", name="refund_has_payment"),
        Index("ix_returns_refunds_order_id", "order_id"),
        Index("ix_returns_refunds_next_action_at", "next_action_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    order_item_id: Mapped[UUID | None] = mapped_column(Id, ForeignKey("order_items.id"))
    payment_id: Mapped[UUID | None] = mapped_column(Id, ForeignKey("payments.id"))
    type: Mapped[ReturnType] = mapped_column(enum_column(ReturnType))
    status: Mapped[ReturnStatus] = mapped_column(enum_column(ReturnStatus))
    quantity: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(CHAR(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(500))
    provider_refund_id: Mapped[str | None] = mapped_column(String(128))
    requested_by: Mapped[UUID | None] = mapped_column(Id)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_action_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @classmethod
    def of_payment(
        cls, payment: Payment, amount: Money, *, reason: str, by: UUID | None
    ) -> "ReturnRefund":
        """Promise `amount` of a captured payment back; due at once.

        Raises RefundExceedsCaptured.
        """
        payment.promise_refund(amount)
        moment = now()
        return cls(
            id=new_id(),
            order_id=payment.order_id,
            payment_id=payment.id,
            type=ReturnType.REFUND,
            status=ReturnStatus.APPROVED,
            currency=amount.currency,
            amount_minor=amount.amount,
            reason=reason,
            requested_by=by,
            attempts=0,
            next_action_at=moment,
            created_at=moment,
            updated_at=moment,
        )

    @property
    def amount(self) -> Money:
        return Money(amount=self.amount_minor, currency=self.currency)

    @property
    def is_due(self) -> bool:
        """Whether the money is still to be handed out."""
        return self.type is ReturnType.REFUND and self.status is ReturnStatus.APPROVED

    def complete(self, provider_refund_id: str | None) -> None:
        self.status = ReturnStatus.REFUNDED
        self.provider_refund_id = provider_refund_id
        self.next_action_at = None
        self.updated_at = now()

"""Payments: each a durable intent before any provider hears of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    CheckConstraint,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict
from common_lib.money import Money
from order_service.models.base import Base, enum_column
from order_service.schemas.enums import (
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
    WebhookOutcome,
)

# A refusal may turn into a late success; nothing leads back to PENDING.
PAYMENT_MOVES: Final[Mapping[PaymentStatus, frozenset[PaymentStatus]]] = {
    PaymentStatus.PENDING: frozenset({PaymentStatus.SUCCESS, PaymentStatus.FAILED}),
    PaymentStatus.FAILED: frozenset({PaymentStatus.SUCCESS}),
    PaymentStatus.SUCCESS: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.REFUNDED: frozenset(),
}


class RefundExceedsCaptured(Conflict):
    code = "refund_exceeds_captured"
    title = "More would be given back than was paid"


class Payment(Base):
    """One attempt to pay an order.

    `next_action_at` is when a worker looks at it next, and its lease while one does; NULL when
    nothing is left to do or the customer has to act. `refunded_minor` counts what was promised
    back, so that two refunds at once cannot exceed what was captured.
    """

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        UniqueConstraint("provider", "provider_payment_id"),
        CheckConstraint("attempt > 0", name="attempt_positive"),
        CheckConstraint("amount_minor >= 0", name="amount_range"),
        CheckConstraint("captured_minor BETWEEN 0 AND amount_minor", name="captured_range"),
        CheckConstraint("refunded_minor BETWEEN 0 AND captured_minor", name="refunded_range"),
        Index("ix_payments_next_action_at", "next_action_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    attempt: Mapped[int] = mapped_column(SmallInteger)
    method: Mapped[PaymentMethod] = mapped_column(enum_column(PaymentMethod))
    status: Mapped[PaymentStatus] = mapped_column(enum_column(PaymentStatus))
    phase: Mapped[PaymentPhase] = mapped_column(enum_column(PaymentPhase))
    provider: Mapped[str] = mapped_column(String(32))
    provider_payment_id: Mapped[str | None] = mapped_column(String(128))
    provider_token: Mapped[str | None] = mapped_column(String(255))
    currency: Mapped[str] = mapped_column(CHAR(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    captured_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    failure_code: Mapped[str | None] = mapped_column(String(64))
    checks: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_action_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def amount(self) -> Money:
        return Money(amount=self.amount_minor, currency=self.currency)

    @property
    def captured(self) -> Money:
        return Money(amount=self.captured_minor, currency=self.currency)

    @property
    def refunded(self) -> Money:
        """What was promised back, handed out or not."""
        return Money(amount=self.refunded_minor, currency=self.currency)

    @property
    def refundable(self) -> Money:
        return Money(amount=self.captured_minor - self.refunded_minor, currency=self.currency)

    @property
    def provider_key(self) -> str:
        """The idempotency key towards the provider: a repeated call is the same charge."""
        return f"{self.order_id}:{self.attempt}"

    @property
    def is_awaiting_customer(self) -> bool:
        """Whether nothing was sent to the provider and nothing will be without a token."""
        return self.phase is PaymentPhase.INITIATED and self.next_action_at is None

    @property
    def is_under_way(self) -> bool:
        """Whether a provider knows of it, or will, and has not decided."""
        return self.status is PaymentStatus.PENDING and not self.is_awaiting_customer

    def can_become(self, status: PaymentStatus) -> bool:
        return status in PAYMENT_MOVES[self.status]

    def succeed(self, provider_payment_id: str | None) -> None:
        self._settle(PaymentStatus.SUCCESS)
        self.captured_minor = self.amount_minor
        self.failure_code = None
        self.provider_payment_id = provider_payment_id or self.provider_payment_id

    def fail(self, failure_code: str, provider_payment_id: str | None = None) -> None:
        self._settle(PaymentStatus.FAILED)
        self.failure_code = failure_code[:64]
        self.provider_payment_id = provider_payment_id or self.provider_payment_id

    def wait(self, phase: PaymentPhase, next_action_at: datetime | None) -> None:
        """Stay PENDING and be looked at again; the provider has not decided or not answered."""
        self.phase = phase
        self.next_action_at = next_action_at
        self.updated_at = now()

    def promise_refund(self, amount: Money) -> None:
        """Count `amount` as given back. Raises RefundExceedsCaptured, also where none is left."""
        is_covered = 0 < amount.amount <= self.refundable.amount
        if amount.currency != self.currency or not is_covered:
            is_nothing_left = self.captured_minor > 0 and self.refundable.amount == 0
            raise RefundExceedsCaptured(
                "all that was paid has been given back" if is_nothing_left else "",
                refundable=self.refundable.model_dump(),
            )
        self.refunded_minor += amount.amount
        self.updated_at = now()

    def _settle(self, status: PaymentStatus) -> None:
        self.status = status
        self.phase = PaymentPhase.SETTLED
        self.next_action_at = None
        # A token is for one charge; it has no business in the database afterwards.
        self.provider_token = None
        self.updated_at = now()


class PaymentWebhookEvent(Base):
    """A provider's message, kept once: the primary key is the deduplication."""

    __tablename__ = "payment_webhook_events"
    __table_args__ = (Index("ix_payment_webhook_events_outcome", "outcome"), TABLE_OPTIONS)

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(128, collation="utf8mb4_bin"), primary_key=True)
    payment_id: Mapped[UUID | None] = mapped_column(Id)
    outcome: Mapped[WebhookOutcome] = mapped_column(enum_column(WebhookOutcome))
    reason: Mapped[str | None] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

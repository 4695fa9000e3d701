"""Rows as the hot paths read and write them: plain, without a session behind them.

The field names are those of the mapped classes and of the columns.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common_lib.money import Money
from order_service.schemas.enums import (
    OrderStatus,
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
)


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of one variant, as somebody asks for them."""

    variant_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class ReservedLine:
    """A line as the catalog reserved it, at the price it was reserved at."""

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    seller_id: UUID | None
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Reservation:
    """Stock held for an order; `order_id` is the one agreed at the first attempt."""

    id: UUID
    order_id: UUID
    lines: tuple[ReservedLine, ...]


@dataclass(frozen=True, slots=True)
class OrderRecord:
    id: UUID
    created_at: datetime
    order_number: str
    user_id: UUID
    email: str
    full_name: str
    status: OrderStatus
    reservation_id: UUID
    payment_method: PaymentMethod
    currency: str
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    is_tax_included: bool
    shipping_minor: int
    total_minor: int
    coupon_code: str | None
    shipping_address: dict[str, Any]
    notes: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ItemRecord:
    id: UUID
    order_id: UUID
    line_no: int
    variant_id: UUID
    product_id: UUID
    seller_id: UUID | None
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    line_total_minor: int
    discount_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    id: UUID
    order_id: UUID
    attempt: int
    method: PaymentMethod
    status: PaymentStatus
    phase: PaymentPhase
    provider: str
    currency: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    failure_code: str | None
    next_action_at: datetime | None
    created_at: datetime

    @property
    def is_under_way(self) -> bool:
        """Whether a provider knows of it, or will, and has not decided."""
        is_waiting = self.phase is PaymentPhase.INITIATED and self.next_action_at is None
        return self.status is PaymentStatus.PENDING and not is_waiting


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """An order with its lines, its latest payment and, while it is unpaid, until when."""

    order: OrderRecord
    items: tuple[ItemRecord, ...]
    payment: PaymentRecord | None
    due_at: datetime | None = None
    earlier: tuple[PaymentRecord, ...] = ()

    @property
    def payments(self) -> tuple[PaymentRecord, ...]:
        return (*self.earlier, self.payment) if self.payment else self.earlier

    @property
    def holds_money(self) -> bool:
        """Whether something was captured that was not promised back."""
        return any(payment.captured_minor > payment.refunded_minor for payment in self.payments)

    @property
    def is_payable(self) -> bool:
        """Whether starting a payment would succeed now."""
        is_open = self.order.status is OrderStatus.PENDING
        return is_open and not any(payment.is_under_way for payment in self.payments)

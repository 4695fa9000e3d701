"""Orders, their lines and their history; the table of allowed moves is the rule."""

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
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict
from common_lib.events.users import DELETED_NAME, dead_address
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.models.base import Base, enum_column
from order_service.schemas.enums import OrderStatus, PaymentMethod

PENDING, CONFIRMED, PROCESSING = (
    OrderStatus.PENDING,
    OrderStatus.CONFIRMED,
    OrderStatus.PROCESSING,
)
SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
CANCELLED, REFUNDED = OrderStatus.CANCELLED, OrderStatus.REFUNDED

ORDER_MOVES: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    PENDING: frozenset({CONFIRMED, CANCELLED}),
    CONFIRMED: frozenset({PROCESSING, SHIPPED, CANCELLED}),
    PROCESSING: frozenset({SHIPPED, CANCELLED}),
    SHIPPED: frozenset({DELIVERED, REFUNDED}),
    DELIVERED: frozenset({REFUNDED}),
    CANCELLED: frozenset(),
    REFUNDED: frozenset(),
}
CANCELLABLE: Final = frozenset(status for status in OrderStatus if CANCELLED in ORDER_MOVES[status])
SELLER_MOVES: Final = frozenset({PROCESSING, SHIPPED, DELIVERED})


FINAL: Final = frozenset({DELIVERED, CANCELLED, REFUNDED})
# What of an address stays: where the goods were supplied decides their tax.
_PLACE_OF_SUPPLY: Final = ("state", "pincode", "country")


class IllegalTransition(Conflict):
    code = "illegal_transition"
    title = "The order cannot move to that status from where it is"

    def within(self, rights: frozenset[OrderStatus]) -> "IllegalTransition":
        """Return the refusal naming only those moves the caller may make."""
        allowed = [status for status in self.details.get("allowed", ()) if status in rights]
        return IllegalTransition(self.detail, **{**self.details, "allowed": allowed})


class Order(Base):
    """One order. `created_at` is the moment inside the id, so an id names its partition."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("subtotal_minor >= 0 AND tax_minor >= 0", name="amounts"),
        CheckConstraint("discount_minor BETWEEN 0 AND subtotal_minor", name="discount_range"),
        CheckConstraint("shipping_minor >= 0 AND total_minor >= 0", name="total_range"),
        CheckConstraint(
            "total_minor = subtotal_minor - discount_minor + shipping_minor"
            " + CASE WHEN is_tax_included THEN 0 ELSE tax_minor END",
            name="total_adds_up",
        ),
        CheckConstraint("version > 0", name="version_positive"),
        Index("ix_orders_user_id_id", "user_id", "id"),
        Index("ix_orders_status_id", "status", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    order_number: Mapped[str] = mapped_column(String(24))
    user_id: Mapped[UUID] = mapped_column(Id)
    email: Mapped[str] = mapped_column(String(254))
    full_name: Mapped[str] = mapped_column(String(120))
    status: Mapped[OrderStatus] = mapped_column(enum_column(OrderStatus))
    reservation_id: Mapped[UUID] = mapped_column(Id)
    idempotency_key: Mapped[str] = mapped_column(String(255, collation="utf8mb4_bin"))
    payment_method: Mapped[PaymentMethod] = mapped_column(enum_column(PaymentMethod))
    currency: Mapped[str] = mapped_column(CHAR(3))
    subtotal_minor: Mapped[int] = mapped_column(BigInteger)
    discount_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)
    is_tax_included: Mapped[bool]
    shipping_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    coupon_code: Mapped[str | None] = mapped_column(String(32))
    shipping_address: Mapped[dict[str, Any]] = mapped_column(JSON)
    notes: Mapped[str | None] = mapped_column(String(500))
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def total(self) -> Money:
        return Money(amount=self.total_minor, currency=self.currency)

    @property
    def is_final(self) -> bool:
        """Whether nothing has to be brought to the customer any more."""
        return self.status in FINAL

    def forget_contact(self) -> None:
        """Write to nobody about this order from now on. Safe to repeat."""
        self.email = dead_address(self.user_id)

    def forget_recipient(self) -> None:
        """Keep of the person what the books need; amounts, lines and taxes stay as they are."""
        kept = {name: self.shipping_address.get(name) for name in _PLACE_OF_SUPPLY}
        blank = dict.fromkeys(self.shipping_address, "")
        self.shipping_address = {**blank, "fullName": DELETED_NAME, **kept}
        self.full_name, self.notes = DELETED_NAME, None

    def move_to(
        self, status: OrderStatus, *, by: UUID | None = None, note: str | None = None
    ) -> "StatusChange":
        """Move along the table of allowed moves and return the history row.

        `by` None stands for the system. Raises IllegalTransition.
        """
        if status not in ORDER_MOVES[self.status]:
            raise IllegalTransition(
                f"an order that is {self.status} does not become {status}",
                status=self.status,
                allowed=sorted(ORDER_MOVES[self.status]),
            )
        before, self.status = self.status, status
        self.version += 1
        self.updated_at = now()
        return StatusChange(
            id=new_id(),
            order_id=self.id,
            order_version=self.version,
            from_status=before,
            to_status=status,
            changed_by=by,
            note=note,
            created_at=self.updated_at,
        )


class OrderItem(Base):
    """A line with the names and the price it was sold at."""

    __tablename__ = "order_items"
    __table_args__ = (
        UniqueConstraint("order_id", "variant_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price_minor >= 0", name="unit_price_range"),
        CheckConstraint("line_total_minor = unit_price_minor * quantity", name="line_adds_up"),
        CheckConstraint("discount_minor BETWEEN 0 AND line_total_minor", name="discount_range"),
        CheckConstraint("tax_minor >= 0", name="tax_range"),
        Index("ix_order_items_seller_id_order_id", "seller_id", "order_id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    line_no: Mapped[int] = mapped_column(SmallInteger)
    variant_id: Mapped[UUID] = mapped_column(Id)
    product_id: Mapped[UUID] = mapped_column(Id)
    seller_id: Mapped[UUID | None] = mapped_column(Id)
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(400))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    line_total_minor: Mapped[int] = mapped_column(BigInteger)
    discount_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)


class StatusChange(Base):
    """One step of the timeline, never changed after; `changed_by` NULL is the system."""

    __tablename__ = "order_status_history"
    __table_args__ = (UniqueConstraint("order_id", "order_version"), TABLE_OPTIONS)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    order_version: Mapped[int] = mapped_column(Integer)
    from_status: Mapped[OrderStatus | None] = mapped_column(enum_column(OrderStatus))
    to_status: Mapped[OrderStatus] = mapped_column(enum_column(OrderStatus))
    changed_by: Mapped[UUID | None] = mapped_column(Id)
    note: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

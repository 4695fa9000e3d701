"""Coupons and who redeemed them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from order_service.models.base import Base, enum_column
from order_service.schemas.enums import CouponType


class Coupon(Base):
    """A percentage (in basis points) or a fixed amount off, within limits and dates."""

    __tablename__ = "coupons"
    __table_args__ = (
        UniqueConstraint("code", name="uq_coupons_code"),
        CheckConstraint(
            "(type = 'PERCENTAGE' AND percent_basis_points BETWEEN 1 AND 10000"
            " AND amount_minor IS NULL)"
            " OR (type = 'FIXED' AND amount_minor > 0 AND percent_basis_points IS NULL)",
            name="value_fits_type",
        ),
        CheckConstraint("max_discount_minor IS NULL OR max_discount_minor > 0", name="cap_range"),
        CheckConstraint("min_order_minor >= 0", name="minimum_range"),
        CheckConstraint("usage_limit IS NULL OR usage_limit > 0", name="limit_range"),
        CheckConstraint("per_user_limit > 0", name="per_user_limit_range"),
        CheckConstraint(
            "used_count >= 0 AND (usage_limit IS NULL OR used_count <= usage_limit)",
            name="used_within_limit",
        ),
        CheckConstraint("valid_until > valid_from", name="dates_in_order"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    code: Mapped[str] = mapped_column(String(32))
    description: Mapped[str | None] = mapped_column(String(200))
    type: Mapped[CouponType] = mapped_column(enum_column(CouponType))
    percent_basis_points: Mapped[int | None] = mapped_column(Integer)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    max_discount_minor: Mapped[int | None] = mapped_column(BigInteger)
    min_order_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(CHAR(3))
    usage_limit: Mapped[int | None] = mapped_column(Integer)
    per_user_limit: Mapped[int] = mapped_column(SmallInteger, default=1)
    used_count: Mapped[int] = mapped_column(Integer, default=0)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime] = mapped_column(UtcDateTime)
    is_active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def touch(self, moment: datetime) -> None:
        """Note a change of its terms; being used is none."""
        self.version += 1
        self.updated_at = moment


class CouponRedemption(Base):
    """The n-th use of a coupon by one user, n at most the coupon's limit per user.

    No foreign key to `coupons`: it would take a shared lock on the coupon before the guarded
    update takes the exclusive one, and two buyers at once would deadlock.
    """

    __tablename__ = "coupon_redemptions"
    __table_args__ = (UniqueConstraint("order_id"), TABLE_OPTIONS)

    coupon_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    n: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    order_id: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

"""Bodies of the coupon calls."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from common_lib.money import Money
from common_lib.problems import ApiModel, RequestModel
from common_lib.text import ManyLines
from order_service.schemas.common import MAX_INT32, Page
from order_service.schemas.enums import CouponType
from order_service.schemas.orders import CouponCode

CouponDescription = Annotated[str, ManyLines(200)]
LaxMoment = Annotated[AwareDatetime, Field(strict=False)]
# The years MySQL's DATETIME and every client agree about.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class NewCoupon(RequestModel):
    """`percentBasisPoints` for PERCENTAGE (1250 is 12.5 %), `amount` for FIXED."""

    code: CouponCode
    type: Annotated[CouponType, Field(strict=False)]
    percent_basis_points: Annotated[int, Field(ge=1, le=10_000)] | None = None
    amount: Money | None = None
    max_discount: Money | None = None
    min_order: Money | None = None
    usage_limit: Annotated[int, Field(ge=1, le=MAX_INT32)] | None = None
    per_user_limit: Annotated[int, Field(ge=1, le=1000)] = 1
    valid_from: LaxMoment
    valid_until: LaxMoment
    is_active: bool = True
    description: CouponDescription | None = None

    @model_validator(mode="after")
    def _value_fits_type(self) -> Self:
        is_percentage = self.type is CouponType.PERCENTAGE
        if is_percentage != (self.percent_basis_points is not None):
            raise ValueError("percentBasisPoints belongs to PERCENTAGE, and to it alone")
        if is_percentage == (self.amount is not None):
            raise ValueError("amount belongs to FIXED, and to it alone")
        if self.amount is not None and self.amount.amount == 0:
            raise ValueError("a coupon is worth more than nothing")
        if self.max_discount is not None and self.max_discount.amount == 0:
            raise ValueError("maxDiscount is more than nothing")
        return self

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if not EARLIEST <= self.valid_from < self.valid_until <= LATEST:
            raise ValueError("validFrom comes before validUntil, both between 2000 and 2100")
        return self


class CouponPatch(RequestModel):
    """What is to change of a coupon; what is absent stays, null takes a bound away."""

    code: CouponCode | None = None
    type: Annotated[CouponType, Field(strict=False)] | None = None
    percent_basis_points: Annotated[int, Field(ge=1, le=10_000)] | None = None
    amount: Money | None = None
    max_discount: Money | None = None
    min_order: Money | None = None
    usage_limit: Annotated[int, Field(ge=1, le=MAX_INT32)] | None = None
    per_user_limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    valid_from: LaxMoment | None = None
    valid_until: LaxMoment | None = None
    is_active: bool | None = None
    description: CouponDescription | None = None

    def over(self, present: NewCoupon) -> NewCoupon:
        """Return the coupon with what was sent put over what it is. Raises ValidationError."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {name: getattr(present, name) for name in NewCoupon.model_fields}
        aliases = {name: field.alias or name for name, field in NewCoupon.model_fields.items()}
        merged = {aliases[name]: value for name, value in (kept | sent).items()}
        return NewCoupon.model_validate(merged)


class CouponView(ApiModel):
    id: UUID
    code: str
    type: CouponType
    percent_basis_points: int | None
    amount: Money | None
    max_discount: Money | None
    min_order: Money
    usage_limit: int | None
    per_user_limit: int
    used_count: int
    valid_from: datetime
    valid_until: datetime
    is_active: bool
    description: str | None
    version: int
    created_at: datetime


class CouponList(Page):
    items: list[CouponView]

"""What an order costs. Integer minor units; every rounding is half up.

Tax is rounded once per line. A discount is promised on the order, so it is rounded once there and
spread over the lines by largest remainder: splitting a line never changes what is paid.

Inside, amounts are plain integers of one currency: Money at every step made it five times slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from common_lib.errors import Conflict, Rejected
from common_lib.money import MAX_MINOR, Money
from order_service.models.records import ReservedLine
from order_service.schemas.enums import CouponType
from order_service.settings import FreeShippingBasis, Settings

_WHOLE: Final = 10_000


class TotalTooLarge(Rejected):
    code = "total_too_large"
    title = "The order is worth more than this shop takes at once"


class PriceChanged(Conflict):
    code = "price_changed"
    title = "The total is not the expected one"


class CouponNotValid(Rejected):
    code = "coupon_invalid"
    title = "There is no such coupon"


class CouponExpired(Rejected):
    code = "coupon_expired"
    title = "The coupon is no longer valid"


class CouponNotYetValid(Rejected):
    code = "coupon_not_yet_valid"
    title = "The coupon is not valid yet"


class CouponMinimumNotReached(Rejected):
    code = "coupon_minimum_not_reached"
    title = "The order is too small for this coupon"


class CouponExhausted(Conflict):
    code = "coupon_exhausted"
    title = "The coupon has been used up"


class CouponAlreadyUsed(Conflict):
    code = "coupon_already_used"
    title = "You have used this coupon as often as you may"


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line's amounts in minor units of the order's currency."""

    reserved: ReservedLine
    line_total: int
    discount: int
    tax: int


@dataclass(frozen=True, slots=True)
class Totals:
    lines: tuple[PricedLine, ...]
    subtotal: Money
    discount: Money
    tax: Money
    is_tax_included: bool
    shipping: Money
    total: Money


@dataclass(frozen=True, slots=True)
class CouponRule:
    """A coupon as it was read, with the uses its buyer has already made (`redeemed`)."""

    id: UUID
    code: str
    type: CouponType
    percent_basis_points: int | None
    amount_minor: int | None
    max_discount_minor: int | None
    min_order_minor: int
    currency: str
    usage_limit: int | None
    per_user_limit: int
    used_count: int
    valid_from: datetime
    valid_until: datetime
    is_active: bool
    redeemed: frozenset[int] = field(default_factory=frozenset)

    def check(self, at: datetime) -> None:
        """Raise unless the buyer may use it now; limits are checked again when it is redeemed."""
        if not self.is_active:
            raise CouponNotValid
        if at < self.valid_from:
            raise CouponNotYetValid
        if at >= self.valid_until:
            raise CouponExpired
        if self.usage_limit is not None and self.used_count >= self.usage_limit:
            raise CouponExhausted
        if self.next_use() is None:
            raise CouponAlreadyUsed

    def next_use(self) -> int | None:
        """Return the lowest free n of the buyer's uses, None when all are taken."""
        uses = range(1, self.per_user_limit + 1)
        return next((n for n in uses if n not in self.redeemed), None)

    def discounts(self, line_totals: Sequence[int]) -> list[int]:
        """Return each line's discount in minor units. Raises CouponMinimumNotReached."""
        subtotal = sum(line_totals)
        if subtotal < self.min_order_minor:
            minimum = Money(amount=self.min_order_minor, currency=self.currency)
            raise CouponMinimumNotReached(minimum=minimum.model_dump())
        return _spread(self._discount(subtotal), line_totals)

    def _discount(self, subtotal: int) -> int:
        """Return the whole order's discount, rounded once; never more than the goods cost."""
        if self.percent_basis_points is None:
            return min(self.amount_minor or 0, self.max_discount_minor or subtotal, subtotal)
        share = _share(subtotal, self.percent_basis_points, _WHOLE)
        return min(share, self.max_discount_minor or share)


@dataclass(frozen=True, slots=True)
class Tariff:
    """The shop's own part of a total: tax and shipping."""

    currency: str
    tax_basis_points: int
    is_tax_included: bool
    shipping_fee_minor: int
    free_shipping_from_minor: int
    free_shipping_basis: FreeShippingBasis

    @classmethod
    def of(cls, settings: Settings) -> "Tariff":
        return cls(
            currency=settings.currency,
            tax_basis_points=settings.tax_basis_points,
            is_tax_included=settings.is_tax_included,
            shipping_fee_minor=settings.shipping_fee_minor,
            free_shipping_from_minor=settings.free_shipping_from_minor,
            free_shipping_basis=settings.free_shipping_basis,
        )

    def shipping(self, subtotal: int, discount: int) -> int:
        is_before = self.free_shipping_basis is FreeShippingBasis.BEFORE_DISCOUNT
        goods = subtotal if is_before else subtotal - discount
        return 0 if goods >= self.free_shipping_from_minor else self.shipping_fee_minor

    def tax(self, taxable: int) -> int:
        """Return a line's tax: the share contained in the price, or the one put on top."""
        whole = _WHOLE + (self.tax_basis_points if self.is_tax_included else 0)
        return _share(taxable, self.tax_basis_points, whole)


def price(lines: Sequence[ReservedLine], tariff: Tariff, coupon: CouponRule | None) -> Totals:
    """Return the totals of reserved lines.

    Raises TotalTooLarge, CouponMinimumNotReached, or Conflict for a foreign currency.
    """
    line_totals = _line_totals(lines, tariff.currency)
    discounts = coupon.discounts(line_totals) if coupon else [0] * len(lines)
    taxes = [tariff.tax(line - off) for line, off in zip(line_totals, discounts, strict=True)]
    subtotal, discount, tax = sum(line_totals), sum(discounts), sum(taxes)
    shipping = tariff.shipping(subtotal, discount)
    total = subtotal - discount + shipping + (0 if tariff.is_tax_included else tax)
    _require_payable(total)

    def money(amount: int) -> Money:
        return Money(amount=amount, currency=tariff.currency)

    return Totals(
        lines=tuple(map(PricedLine, lines, line_totals, discounts, taxes)),
        subtotal=money(subtotal),
        discount=money(discount),
        tax=money(tax),
        is_tax_included=tariff.is_tax_included,
        shipping=money(shipping),
        total=money(total),
    )


def check_expected(total: Money, expected: Money | None) -> None:
    """Raise PriceChanged when the buyer counted on another total."""
    if expected is None or expected == total:
        return
    raise PriceChanged(
        "the total differs from expectedTotal; nothing was ordered and no stock is held."
        " Look at the new total and send it with a new idempotency key",
        total=total.model_dump(),
    )


def _line_totals(lines: Sequence[ReservedLine], currency: str) -> list[int]:
    if any(line.unit_price.currency != currency for line in lines):
        raise Conflict("a variant is priced in another currency than the shop's")
    amounts = [line.unit_price.amount * line.quantity for line in lines]
    _require_payable(sum(amounts))
    return amounts


def _require_payable(amount: int) -> None:
    if amount > MAX_MINOR:
        raise TotalTooLarge


def _share(amount: int, part: int, whole: int) -> int:
    """Return amount x part / whole, rounded half up, exactly."""
    return (2 * amount * part + whole) // (2 * whole)


def _spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to the lines, to the last minor unit (largest remainder)."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    shares = [divmod(amount * weight, whole) for weight in weights]
    left = amount - sum(share for share, _ in shares)
    by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
    rounded_up = set(by_remainder[:left])
    return [share + (index in rounded_up) for index, (share, _) in enumerate(shares)]

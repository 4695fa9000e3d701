"""The coupon of an order as it was read, and whether it may still be used."""

from uuid import UUID

from common_lib.clock import now
from order_service.queries import placing as sql
from order_service.queries.placing import LookBefore, Verdict
from order_service.schemas.enums import CouponType
from order_service.services.pricing import CouponExhausted, CouponRule


def rule_of(before: LookBefore) -> CouponRule | None:
    """Return the coupon that was read, None where the code names none."""
    if before.coupon is None:
        return None
    row = before.coupon
    return CouponRule(
        UUID(bytes=bytes(row[0])),
        row[1],
        CouponType(row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        sql.aware(row[11]),
        sql.aware(row[12]),
        bool(row[13]),
        before.redeemed,
    )


def still_usable(
    coupon: CouponRule | None, verdict: Verdict | None, before: LookBefore
) -> CouponRule | None:
    """Return the coupon as it stands now. Raises what keeps it from being used any more."""
    if coupon is None:
        return None
    current = rule_of(before)
    if current is None or verdict is Verdict.COUPON_EXHAUSTED:
        raise CouponExhausted
    current.check(now())
    return current

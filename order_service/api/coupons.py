"""Coupons over HTTP, for administrators."""

from fastapi import APIRouter, Request, Response, status

from common_lib.money import Money
from common_lib.problems import StrictRoute
from order_service.api.deps import Admin, Paged, Wired, page_response
from order_service.models import Coupon
from order_service.schemas.coupons import CouponList, CouponView, NewCoupon

router = APIRouter(prefix="/api/coupons", route_class=StrictRoute, tags=["coupons"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(body: NewCoupon, admin: Admin, deps: Wired) -> CouponView:
    """Create a coupon."""
    del admin
    return _view(await deps.coupons.create(body))


@router.get("", response_model=CouponList)
async def page(request: Request, admin: Admin, deps: Wired, wish: Paged) -> Response:
    """List coupons."""
    del admin
    coupons = await deps.coupons.page(wish.before_id, wish.limit)
    items = [_view(coupon).model_dump(mode="json") for coupon in coupons]
    return page_response(request, wish, items, [coupon.id for coupon in coupons])


def _view(coupon: Coupon) -> CouponView:
    def money(amount: int | None) -> Money | None:
        return None if amount is None else Money(amount=amount, currency=coupon.currency)

    return CouponView(
        id=coupon.id,
        code=coupon.code,
        type=coupon.type,
        percent_basis_points=coupon.percent_basis_points,
        amount=money(coupon.amount_minor),
        max_discount=money(coupon.max_discount_minor),
        min_order=Money(amount=coupon.min_order_minor, currency=coupon.currency),
        usage_limit=coupon.usage_limit,
        per_user_limit=coupon.per_user_limit,
        used_count=coupon.used_count,
        valid_from=coupon.valid_from,
        valid_until=coupon.valid_until,
        is_active=coupon.is_active,
        description=coupon.description,
        version=coupon.version,
        created_at=coupon.created_at,
    )

"""Coupons over HTTP, for administrators."""

from fastapi import APIRouter, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from common_lib.money import Money
from common_lib.problems import StrictRoute
from order_service.api.deps import (
    Admin,
    IfMatch,
    Paged,
    PathCoupon,
    Wired,
    json_response,
    page_response,
)
from order_service.models import Coupon
from order_service.schemas.coupons import CouponList, CouponPatch, CouponView, NewCoupon

router = APIRouter(prefix="/api/coupons", route_class=StrictRoute, tags=["coupons"])


@router.post("", status_code=status.HTTP_201_CREATED, response_model=CouponView)
async def create(body: NewCoupon, admin: Admin, deps: Wired) -> Response:
    """Create a coupon."""
    del admin
    coupon = await deps.coupons.create(body)
    location = {"Location": f"/api/coupons/{coupon.id}"}
    return _answer(coupon, status.HTTP_201_CREATED, **location)


@router.get("/{coupon_id}", response_model=CouponView)
async def one(coupon_id: PathCoupon, admin: Admin, deps: Wired) -> Response:
    """Read a coupon; its ETag is what If-Match names."""
    del admin
    return _answer(await deps.coupons.one(coupon_id))


@router.put("/{coupon_id}", response_model=CouponView)
async def replace(
    coupon_id: PathCoupon, body: NewCoupon, admin: Admin, deps: Wired, seen: IfMatch
) -> Response:
    """Give a coupon new terms; orders that used it keep their discount."""
    del admin
    return _answer(await deps.coupons.replace(coupon_id, body, seen))


@router.patch("/{coupon_id}", response_model=CouponView)
async def change(
    coupon_id: PathCoupon, body: CouponPatch, admin: Admin, deps: Wired, seen: IfMatch
) -> Response:
    """Change some terms of a coupon, or switch it off and on."""
    del admin
    try:
        return _answer(await deps.coupons.change(coupon_id, body, seen))
    except ValidationError as error:
        raise RequestValidationError(
            [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        ) from None


@router.delete("/{coupon_id}", status_code=status.HTTP_204_NO_CONTENT)
async def switch_off(coupon_id: PathCoupon, admin: Admin, deps: Wired, seen: IfMatch) -> None:
    """Switch a coupon off for good; it stays for the books."""
    del admin
    await deps.coupons.switch_off(coupon_id, seen)


@router.get("", response_model=CouponList)
async def page(request: Request, admin: Admin, deps: Wired, wish: Paged) -> Response:
    """List coupons."""
    del admin
    coupons = await deps.coupons.page(wish.before_id, wish.limit)
    items = [_view(coupon).model_dump(mode="json") for coupon in coupons]
    return page_response(request, wish, items, [coupon.id for coupon in coupons])


def _answer(coupon: Coupon, code: int = status.HTTP_200_OK, **headers: str) -> Response:
    body = _view(coupon).model_dump(mode="json")
    return json_response(body, code, {"ETag": f'"{coupon.version}"', **headers})


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

"""Making coupons and looking at them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, Rejected
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.models import Coupon
from order_service.queries import coupons as sql
from order_service.schemas.coupons import NewCoupon
from order_service.settings import Settings


class CouponCodeTaken(Conflict):
    code = "coupon_code_taken"
    title = "There is a coupon with this code"


class ForeignCurrency(Rejected):
    code = "foreign_currency"
    title = "Amounts are in the shop's currency"


class Coupons:
    """Use cases of coupons; redeeming one is part of placing an order."""

    def __init__(self, *, database: Database, settings: Settings) -> None:
        self._database = database
        self._currency = settings.currency

    async def create(self, wanted: NewCoupon) -> Coupon:
        """Make a coupon. Raises CouponCodeTaken or ForeignCurrency."""
        coupon = self._coupon(wanted)

        async def work(session: WriteSession) -> None:
            session.add(coupon)
            await session.flush()

        try:
            await self._database.transact(work)
        except IntegrityError as error:
            if is_duplicate_key(error, "uq_coupons_code"):
                raise CouponCodeTaken from None
            raise
        return coupon

    async def page(self, before_id: UUID | None, limit: int) -> Sequence[Coupon]:
        async with self._database.read_own_writes() as session:
            return await sql.list_coupons(session, before_id, limit)

    def _coupon(self, wanted: NewCoupon) -> Coupon:
        moment = now()
        return Coupon(
            id=new_id(),
            code=wanted.code,
            description=wanted.description,
            type=wanted.type,
            percent_basis_points=wanted.percent_basis_points,
            amount_minor=self._minor(wanted.amount),
            max_discount_minor=self._minor(wanted.max_discount),
            min_order_minor=self._minor(wanted.min_order) or 0,
            currency=self._currency,
            usage_limit=wanted.usage_limit,
            per_user_limit=wanted.per_user_limit,
            used_count=0,
            valid_from=wanted.valid_from,
            valid_until=wanted.valid_until,
            is_active=wanted.is_active,
            version=1,
            created_at=moment,
            updated_at=moment,
        )

    def _minor(self, amount: Money | None) -> int | None:
        if amount is None:
            return None
        if amount.currency != self._currency:
            raise ForeignCurrency
        return amount.amount

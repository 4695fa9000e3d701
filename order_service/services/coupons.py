"""Making coupons, looking at them, changing them and switching them off.

An order keeps the discount it was given: nothing here touches one that is placed.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, NotFound, PreconditionFailed, Rejected
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.models import Coupon
from order_service.queries import coupons as sql
from order_service.schemas.coupons import CouponPatch, NewCoupon
from order_service.settings import Settings

# The versions the caller has seen; None where any will do.
Versions = frozenset[int] | None


class CouponCodeTaken(Conflict):
    code = "coupon_code_taken"
    title = "There is a coupon with this code"


class CouponLimitBelowUses(Conflict):
    code = "coupon_limit_below_uses"
    title = "The coupon was used more often than that"


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

    async def one(self, coupon_id: UUID) -> Coupon:
        """Return a coupon, switched off or not. Raises NotFound."""
        async with self._database.read_own_writes() as session:
            coupon = await session.get(Coupon, coupon_id)
        if coupon is None:
            raise NotFound
        return coupon

    async def replace(self, coupon_id: UUID, wanted: NewCoupon, seen: Versions) -> Coupon:
        """Give a coupon new terms.

        Raises NotFound, PreconditionFailed, CouponCodeTaken, ForeignCurrency or
        CouponLimitBelowUses.
        """
        return await self._change(coupon_id, lambda _: wanted, seen)

    async def change(self, coupon_id: UUID, patch: CouponPatch, seen: Versions) -> Coupon:
        """Change some terms of a coupon.

        Raises what `replace` does, and ValidationError where old and new do not fit together.
        """
        return await self._change(coupon_id, patch.over, seen)

    async def switch_off(self, coupon_id: UUID, seen: Versions) -> None:
        """Let nobody use a coupon any more; a second time changes nothing.

        It stays for the books, and its code with it. Raises NotFound or PreconditionFailed.
        """

        async def work(session: WriteSession) -> None:
            coupon = await _locked(session, coupon_id, seen)
            if coupon.is_active:
                coupon.is_active = False
                coupon.touch(now())

        await self._database.transact(work)

    async def _change(
        self, coupon_id: UUID, terms: Callable[[NewCoupon], NewCoupon], seen: Versions
    ) -> Coupon:
        async def work(session: WriteSession) -> Coupon:
            coupon = await _locked(session, coupon_id, seen)
            wanted = terms(_terms_of(coupon))
            self._write(coupon, wanted)
            if wanted.usage_limit is not None and wanted.usage_limit < coupon.used_count:
                raise CouponLimitBelowUses(usedCount=coupon.used_count)
            coupon.touch(now())
            await session.flush()
            return coupon

        try:
            return await self._database.transact(work)
        except IntegrityError as error:
            if is_duplicate_key(error, "uq_coupons_code"):
                raise CouponCodeTaken from None
            raise

    async def page(self, before_id: UUID | None, limit: int) -> Sequence[Coupon]:
        async with self._database.read_own_writes() as session:
            return await sql.list_coupons(session, before_id, limit)

    def _coupon(self, wanted: NewCoupon) -> Coupon:
        moment = now()
        coupon = Coupon(id=new_id(), used_count=0, version=1, created_at=moment, updated_at=moment)
        self._write(coupon, wanted)
        return coupon

    def _write(self, coupon: Coupon, wanted: NewCoupon) -> None:
        coupon.code, coupon.description = wanted.code, wanted.description
        coupon.type, coupon.percent_basis_points = wanted.type, wanted.percent_basis_points
        coupon.amount_minor = self._minor(wanted.amount)
        coupon.max_discount_minor = self._minor(wanted.max_discount)
        coupon.min_order_minor = self._minor(wanted.min_order) or 0
        coupon.currency = self._currency
        coupon.usage_limit, coupon.per_user_limit = wanted.usage_limit, wanted.per_user_limit
        coupon.valid_from, coupon.valid_until = wanted.valid_from, wanted.valid_until
        coupon.is_active = wanted.is_active

    def _minor(self, amount: Money | None) -> int | None:
        if amount is None:
            return None
        if amount.currency != self._currency:
            raise ForeignCurrency
        return amount.amount


async def _locked(session: WriteSession, coupon_id: UUID, seen: Versions) -> Coupon:
    """Lock a coupon, so that nobody uses it meanwhile. Raises NotFound or PreconditionFailed."""
    coupon = await session.get(Coupon, coupon_id, with_for_update=True)
    if coupon is None:
        raise NotFound
    if seen is not None and coupon.version not in seen:
        raise PreconditionFailed
    return coupon


def _terms_of(coupon: Coupon) -> NewCoupon:
    """Return the coupon's terms as they would be sent; it kept the rules when it was written."""

    def money(amount: int | None) -> Money | None:
        return None if amount is None else Money(amount=amount, currency=coupon.currency)

    return NewCoupon.model_construct(
        code=coupon.code,
        type=coupon.type,
        percent_basis_points=coupon.percent_basis_points,
        amount=money(coupon.amount_minor),
        max_discount=money(coupon.max_discount_minor),
        min_order=money(coupon.min_order_minor),
        usage_limit=coupon.usage_limit,
        per_user_limit=coupon.per_user_limit,
        valid_from=coupon.valid_from,
        valid_until=coupon.valid_until,
        is_active=coupon.is_active,
        description=coupon.description,
    )

"""Wishlists: what a customer wants to find again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.products import ProductStatus
from catalog_service.models.wishlists import WishlistItem
from catalog_service.queries import wishlists as queries
from catalog_service.queries.products import ProductDetail, product_details
from catalog_service.schemas.wishlists import WishedProduct, WishOut, WishPage
from catalog_service.services import erasures
from common_lib.clock import now
from common_lib.cursors import InvalidCursor, decode_cursor, encode_cursor
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import Conflict, Rejected
from common_lib.money import Money

MAX_WISHES: Final = 500
_NEWEST: Final = "wished"


class WishlistFull(Conflict):
    code = "wishlist_full"
    title = f"A wishlist holds at most {MAX_WISHES} products"


class UnknownProduct(Rejected):
    code = "unknown_product"
    title = "There is no such product on sale"


async def add(database: Database, user_id: UUID, product_id: UUID) -> bool:
    """Put a product on the list; False if it is there already. Safe to repeat.

    Raises UnknownProduct, WishlistFull, or TokenRevoked for somebody who was erased.
    """

    async def work(session: WriteSession) -> bool:
        wishes = await queries.lock_wishes(session, user_id)
        if product_id in wishes:
            return False
        if not await queries.is_on_sale(session, product_id):
            raise UnknownProduct
        if len(wishes) >= MAX_WISHES:
            raise WishlistFull
        session.add(WishlistItem(user_id=user_id, product_id=product_id, created_at=now()))
        await erasures.ensure_none(session, user_id)
        return True

    try:
        return await database.transact(work)
    except IntegrityError as error:
        if is_duplicate_key(error, "PRIMARY"):
            return False
        raise


async def remove(database: Database, user_id: UUID, product_id: UUID) -> None:
    """Take a product off the list, whether it is there or not."""
    await database.transact(lambda session: queries.delete_wishes(session, user_id, product_id))


async def clear(database: Database, user_id: UUID) -> None:
    await database.transact(lambda session: queries.delete_wishes(session, user_id))


async def page(
    database: Database, user_id: UUID, *, limit: int, cursor: str | None, currency: str
) -> WishPage:
    """Return a page of the list, the latest wish first, in four statements."""
    before = _position(cursor) if cursor is not None else None
    async with database.read_own_writes() as session:
        found = await queries.wishes_page(session, user_id, before=before, limit=limit + 1)
        wishes = found[:limit]
        details = await product_details(session, [wish.product_id for wish in wishes])
    products = {detail.product.id: _summary(detail, currency) for detail in details}
    return WishPage(
        items=_items(wishes, products),
        next_cursor=_cursor(wishes[-1]) if len(found) > limit else None,
    )


def _items(
    wishes: Sequence[WishlistItem], products: Mapping[UUID, WishedProduct]
) -> tuple[WishOut, ...]:
    return tuple(
        WishOut(product=products[wish.product_id], added_at=wish.created_at) for wish in wishes
    )


def _summary(detail: ProductDetail, currency: str) -> WishedProduct:
    product = detail.product
    is_for_sale = product.status is ProductStatus.ACTIVE
    units = sum(detail.available.get(v.id, 0) for v in detail.variants if v.is_active)
    lowest, highest = _price_range(detail)
    return WishedProduct(
        id=product.id,
        name=product.name,
        slug=product.slug,
        price=Money(amount=lowest, currency=currency),
        price_to=Money(amount=highest, currency=currency),
        available=units if is_for_sale else 0,
        is_for_sale=is_for_sale,
        avg_rating=float(product.avg_rating),
        review_count=product.review_count,
        image_url=detail.images[0].url if detail.images else None,
    )


def _price_range(detail: ProductDetail) -> tuple[int, int]:
    """Return the ends of what can be bought now; of what is sold out where nothing can."""
    active = [variant for variant in detail.variants if variant.is_active]
    stocked = [variant for variant in active if detail.available.get(variant.id, 0) > 0]
    prices = [variant.price_minor for variant in stocked or active]
    lowest = detail.product.min_price_minor
    return min(prices, default=lowest), max(prices, default=lowest)


def _cursor(wish: WishlistItem) -> str:
    return encode_cursor(_NEWEST, wish.created_at.isoformat(), wish.product_id)


def _position(cursor: str) -> tuple[datetime, UUID]:
    """Return where the page before ended. Raises InvalidCursor."""
    value, product_id = decode_cursor(cursor, _NEWEST)
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC), product_id
    except (ValueError, OverflowError):
        raise InvalidCursor from None

"""What every use case about products asks first, and how it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.products import Product
from catalog_service.queries import products as queries
from catalog_service.settings import SERVICE
from common_lib.auth import Principal, Role
from common_lib.database import (
    AnySession,
    WriteSession,
    is_duplicate_key,
    is_foreign_key_refused,
)
from common_lib.errors import (
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Rejected,
    StaleVersion,
)
from common_lib.events.catalog import ProductUpdated, VariantPrice
from common_lib.outbox import enqueue

T = TypeVar("T")


class SellerNotActive(Forbidden):
    code = "seller_not_active"
    title = "Only an active store may list products"


class SkuTaken(Conflict):
    code = "sku_taken"
    title = "Another variant has this SKU"


class SlugTaken(Conflict):
    code = "slug_taken"
    title = "Another product has this slug"


class InvalidProduct(Rejected):
    """The members are well-formed each, but do not fit together or point nowhere."""

    code = "validation_failed"
    title = "Some members are missing or wrong"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The version the caller read: from If-Match, from the body, or from neither."""

    if_match: int | None = None
    version: int | None = None

    def check(self, current: int) -> None:
        """Raise PreconditionFailed or StaleVersion unless the version is the current one."""
        if self.if_match is not None and self.if_match != current:
            raise PreconditionFailed
        if self.version is not None and self.version != current:
            raise StaleVersion


async def seller_for(session: WriteSession, principal: Principal) -> UUID | None:
    """Return the caller's store; an administrator without one lists for the shop itself.

    The store's row is share-locked: it is not suspended before this transaction ends. Raises
    SellerNotActive.
    """
    seller = await queries.lock_seller_of_user(session, principal.user_id)
    if seller is not None and seller.may_sell:
        return seller.id
    if principal.is_admin:
        return None
    raise SellerNotActive


async def store_may_sell(session: WriteSession, product_id: UUID) -> bool:
    """Tell whether the product's store may sell, as the shop itself may always.

    The store's row is share-locked: to be asked before the product's row is.
    """
    seller = await queries.lock_seller_of_product(session, product_id)
    return seller is None or seller.may_sell


async def require_owner(session: AnySession, principal: Principal, seller_id: UUID | None) -> None:
    """Raise NotFound unless the caller is that seller or an administrator."""
    if principal.is_admin:
        return
    if principal.role is not Role.SELLER or seller_id is None:
        raise NotFound
    own = await queries.seller_of_user(session, principal.user_id)
    if own is None or own.id != seller_id:
        raise NotFound


async def lock_own(
    session: WriteSession, principal: Principal, product_id: UUID, expected: Expectation
) -> Product:
    """Return the caller's product with its variants; its row is locked.

    Raises NotFound (also for another seller's product), PreconditionFailed or StaleVersion.
    """
    product = await queries.lock_product(session, product_id)
    if product is None:
        raise NotFound
    await require_owner(session, principal, product.seller_id)
    expected.check(product.version)
    return product


async def save(session: WriteSession, product: Product) -> None:
    """Write a change with its version; PRODUCT_UPDATED goes out with it. Raises LastVariant."""
    product.settle()
    await session.flush()
    await tell_of_change(session, product)


async def tell_of_change(session: WriteSession, *products: Product) -> None:
    """Write PRODUCT_UPDATED for products that were read with their variants; one statement."""
    await enqueue(session, *map(_updated, products), source=SERVICE)


def _updated(product: Product) -> ProductUpdated:
    return ProductUpdated(
        product_id=product.id,
        seller_id=product.seller_id,
        name=product.name,
        status=product.status.value,
        product_version=product.version,
        variants=tuple(
            VariantPrice(variant_id=v.id, price=v.price, is_active=v.is_active)
            for v in product.variants
        ),
    )


async def with_refusals(call: Callable[[], Awaitable[T]]) -> T:
    """Await the call; what a key refused becomes SlugTaken, SkuTaken or InvalidProduct."""
    try:
        return await call()
    except IntegrityError as error:
        if is_duplicate_key(error, "uq_products_slug"):
            raise SlugTaken from error
        if is_duplicate_key(error, "uq_product_variants_sku"):
            raise SkuTaken from error
        if is_category_gone(error):
            raise unknown_category() from error
        raise


def is_category_gone(error: IntegrityError) -> bool:
    """Tell whether a product's category was deleted after it had been looked for."""
    return is_foreign_key_refused(error, "fk_products_category_id")


def unknown_category() -> InvalidProduct:
    return invalid("/categoryId", "unknown_category", "there is no such category")


def invalid(pointer: str, code: str, detail: str) -> InvalidProduct:
    return InvalidProduct(errors=[FieldError(pointer, code, detail)])

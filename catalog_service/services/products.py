"""Creating, changing and showing products."""

import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.inventory import Inventory, MovementKind
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from catalog_service.queries import inventory as stock
from catalog_service.queries import products as queries
from catalog_service.queries.products import ProductDetail
from catalog_service.schemas.products import (
    ImageOut,
    ProductEdit,
    ProductIn,
    ProductOut,
    VariantEdit,
    VariantIn,
    VariantOut,
)
from catalog_service.settings import SERVICE
from common_lib.auth import Principal, Role
from common_lib.clock import now
from common_lib.database import AnySession, Database, WriteSession, is_duplicate_key
from common_lib.errors import (
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Rejected,
    StaleVersion,
)
from common_lib.events.catalog import ProductCreated, ProductUpdated, VariantPrice
from common_lib.ids import new_id
from common_lib.money import Money
from common_lib.outbox import enqueue

T = TypeVar("T")
_SLUG_LENGTH: Final = 200


class SellerNotActive(Forbidden):
    code = "seller_not_active"
    title = "Only an active store may list products"


class SkuTaken(Conflict):
    code = "sku_taken"
    title = "Another variant has this SKU"


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


async def create(
    database: Database, principal: Principal, body: ProductIn, *, currency: str
) -> ProductDetail:
    """Write a product with its variants, shelf and ledger; PRODUCT_CREATED goes out with it.

    Raises SellerNotActive, InvalidProduct or SkuTaken.
    """
    _check_variants(body.variants, currency)

    async def work(session: WriteSession) -> ProductDetail:
        seller_id = await _seller_for(session, principal)
        await _require_category(session, body.category_id)
        detail = _new_product(body, seller_id)
        await _save_new(session, detail, body, principal.user_id)
        return detail

    return await _with_unique_skus(lambda: database.transact(work))


async def update(
    database: Database,
    principal: Principal,
    product_id: UUID,
    body: ProductEdit,
    expected: Expectation,
    *,
    currency: str,
) -> ProductDetail:
    """Change a product under its row lock; PRODUCT_UPDATED goes out with it.

    Raises NotFound (also for another seller's product), PreconditionFailed, StaleVersion or
    InvalidProduct.
    """

    async def work(session: WriteSession) -> ProductDetail:
        product = await queries.lock_product(session, product_id)
        await _require_owner(session, principal, product)
        if product is None:
            raise NotFound
        expected.check(product.version)
        await _require_category(session, body.category_id)
        _apply(product, body, currency)
        await session.flush()
        await enqueue(session, _updated_event(product), source=SERVICE)
        detail = await queries.product_detail(session, product_id)
        if detail is None:
            raise NotFound
        return detail

    return await database.transact(work)


async def shown(database: Database, product_id: UUID) -> ProductDetail | None:
    """Return a product that is for everybody's eyes; drafts and archived ones are not."""
    async with database.read() as session:
        detail = await queries.product_detail(session, product_id)
    if detail is None or detail.product.status is not ProductStatus.ACTIVE:
        return None
    return detail


async def owned(database: Database, principal: Principal, product_id: UUID) -> ProductDetail:
    """Return a product in any state to its seller or an administrator. Raises NotFound."""
    async with database.read_own_writes() as session:
        detail = await queries.product_detail(session, product_id)
        await _require_owner(session, principal, detail.product if detail else None)
    if detail is None:
        raise NotFound
    return detail


async def may_manage(database: Database, principal: Principal, seller_id: UUID | None) -> bool:
    """Tell whether the caller is that seller or an administrator."""
    if principal.is_admin:
        return True
    if principal.role is not Role.SELLER or seller_id is None:
        return False
    async with database.read_own_writes() as session:
        own = await queries.seller_of_user(session, principal.user_id)
    return own is not None and own.id == seller_id


def product_out(detail: ProductDetail) -> ProductOut:
    product = detail.product
    return ProductOut(
        id=product.id,
        name=product.name,
        slug=product.slug,
        description=product.description,
        category_id=product.category_id,
        seller_id=product.seller_id,
        status=product.status.value,
        avg_rating=float(product.avg_rating),
        review_count=product.review_count,
        version=product.version,
        variants=tuple(_variant_out(variant, detail) for variant in detail.variants),
        images=tuple(
            ImageOut(id=image.id, url=image.url, alt_text=image.alt_text) for image in detail.images
        ),
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def _variant_out(variant: ProductVariant, detail: ProductDetail) -> VariantOut:
    compare_at = variant.compare_at_price_minor
    return VariantOut(
        id=variant.id,
        sku=variant.sku,
        name=variant.name,
        price=variant.price,
        compare_at_price=(
            None if compare_at is None else Money(amount=compare_at, currency=variant.currency)
        ),
        attributes=variant.attributes,
        is_active=variant.is_active,
        available=detail.available.get(variant.id, 0),
    )


def slug_of(name: str, product_id: UUID) -> str:
    """Return the name as a URL part; the id's tail keeps it unique."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH]
    return f"{words or 'product'}-{product_id.hex[-8:]}"


async def _seller_for(session: WriteSession, principal: Principal) -> UUID | None:
    """Return the caller's store; an administrator without one lists for the shop itself."""
    seller = await queries.seller_of_user(session, principal.user_id)
    if seller is not None and seller.may_sell:
        return seller.id
    if principal.is_admin:
        return None
    raise SellerNotActive


async def _require_owner(
    session: AnySession, principal: Principal, product: Product | None
) -> None:
    """Raise NotFound unless the product exists and is the caller's to manage."""
    if product is None:
        raise NotFound
    if principal.is_admin:
        return
    seller = await queries.seller_of_user(session, principal.user_id)
    if principal.role is not Role.SELLER or seller is None or seller.id != product.seller_id:
        raise NotFound


async def _require_category(session: WriteSession, category_id: UUID) -> None:
    if not await queries.category_exists(session, category_id):
        raise _invalid("/categoryId", "unknown_category", "there is no such category")


def _new_product(body: ProductIn, seller_id: UUID | None) -> ProductDetail:
    product_id, at = new_id(), now()
    product = Product(
        id=product_id,
        seller_id=seller_id,
        category_id=body.category_id,
        name=body.name,
        slug=slug_of(body.name, product_id),
        description=body.description,
        status=ProductStatus(body.status),
        min_price_minor=min(variant.price.amount for variant in body.variants),
        avg_rating=0,
        review_count=0,
        created_at=at,
        updated_at=at,
    )
    variants = [_new_variant(product_id, n, variant) for n, variant in enumerate(body.variants)]
    available = {
        variant.id: given.quantity for variant, given in zip(variants, body.variants, strict=True)
    }
    return ProductDetail(product, variants, available, images=())


def _new_variant(product_id: UUID, position: int, given: VariantIn) -> ProductVariant:
    compare_at = given.compare_at_price
    return ProductVariant(
        id=new_id(),
        product_id=product_id,
        sku=given.sku,
        name=given.name,
        price_minor=given.price.amount,
        currency=given.price.currency,
        compare_at_price_minor=compare_at.amount if compare_at else None,
        attributes=given.attributes,
        is_active=True,
        position=position,
    )


async def _save_new(
    session: WriteSession, detail: ProductDetail, body: ProductIn, actor_id: UUID
) -> None:
    session.add(detail.product)
    await session.flush()
    session.add_all(detail.variants)
    await session.flush()
    pairs = list(zip(detail.variants, body.variants, strict=True))
    session.add_all(
        Inventory(variant_id=v.id, quantity=given.quantity, reorder_level=given.reorder_level)
        for v, given in pairs
    )
    ledger = [
        stock.movement(v.id, MovementKind.INITIAL, given.quantity, reason="", actor_id=actor_id)
        for v, given in pairs
    ]
    await stock.write_movements(session, ledger)
    product = detail.product
    event = ProductCreated(
        product_id=product.id,
        seller_id=product.seller_id,
        name=product.name,
        status=product.status.value,
        product_version=product.version,
    )
    await enqueue(session, event, source=SERVICE)


def _check_variants(variants: Sequence[VariantIn], currency: str) -> None:
    seen: set[str] = set()
    for n, variant in enumerate(variants):
        _check_prices(f"/variants/{n}", variant.price, variant.compare_at_price, currency)
        if variant.sku.lower() in seen:
            raise _invalid(f"/variants/{n}/sku", "duplicate_sku", "two variants share a SKU")
        seen.add(variant.sku.lower())


def _check_prices(pointer: str, price: Money, compare_at: Money | None, currency: str) -> None:
    for name, money in (("price", price), ("compareAtPrice", compare_at)):
        if money is not None and money.currency != currency:
            at = f"{pointer}/{name}/currency"
            raise _invalid(at, "unsupported_currency", f"prices are in {currency}")
    if compare_at is not None and compare_at.amount < price.amount:
        at = f"{pointer}/compareAtPrice"
        raise _invalid(at, "below_price", "the price to compare with is below the price")


def _apply(product: Product, body: ProductEdit, currency: str) -> None:
    variants = {variant.id: variant for variant in product.variants}
    for n, edit in enumerate(body.variants):
        variant = variants.get(edit.id)
        if variant is None:
            raise _invalid(
                f"/variants/{n}/id", "unknown_variant", "the product has no such variant"
            )
        _apply_variant(variant, edit, f"/variants/{n}", currency)
    product.name = body.name
    product.description = body.description
    product.category_id = body.category_id
    if body.status is not None:
        product.status = ProductStatus(body.status)
    active = [v.price_minor for v in product.variants if v.is_active]
    product.min_price_minor = min(active, default=product.min_price_minor)
    # Always another value, so that the version moves even where only a variant changed.
    product.updated_at = now()


def _apply_variant(variant: ProductVariant, edit: VariantEdit, pointer: str, currency: str) -> None:
    given = edit.model_fields_set
    if edit.price is not None:
        variant.price_minor = edit.price.amount
    if "compare_at_price" in given:
        compare_at = edit.compare_at_price
        variant.compare_at_price_minor = compare_at.amount if compare_at else None
    after = variant.compare_at_price_minor
    compare = None if after is None else Money(amount=after, currency=currency)
    price = edit.price or variant.price
    _check_prices(pointer, price, edit.compare_at_price or compare, currency)
    if edit.name is not None:
        variant.name = edit.name
    if edit.attributes is not None:
        variant.attributes = edit.attributes
    if edit.is_active is not None:
        variant.is_active = edit.is_active
    variant.updated_at = now()


def _updated_event(product: Product) -> ProductUpdated:
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


async def _with_unique_skus(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except IntegrityError as error:
        if is_duplicate_key(error, "sku"):
            raise SkuTaken from error
        raise


def _invalid(pointer: str, code: str, detail: str) -> InvalidProduct:
    return InvalidProduct(errors=[FieldError(pointer, code, detail)])

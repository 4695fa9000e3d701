"""Creating, changing and archiving products."""

from uuid import UUID

from catalog_service.models.former_slugs import SlugKind
from catalog_service.models.products import Product, ProductStatus
from catalog_service.models.slugs import slugified
from catalog_service.queries import products as queries
from catalog_service.queries.former_slugs import note_change, note_taken
from catalog_service.queries.products import ProductDetail
from catalog_service.schemas.products import ProductEdit, ProductIn
from catalog_service.services.products.rules import (
    Expectation,
    SellerNotActive,
    invalid,
    lock_own,
    save,
    seller_for,
    store_may_sell,
    unknown_category,
    with_refusals,
)
from catalog_service.services.products.variants import (
    apply_change,
    check_variants,
    new_variant,
    stock_shelves,
)
from catalog_service.settings import SERVICE
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import NotFound
from common_lib.events.catalog import ProductCreated
from common_lib.ids import new_id
from common_lib.outbox import enqueue

_SLUG_LENGTH = 200


async def create(
    database: Database, principal: Principal, body: ProductIn, *, currency: str
) -> ProductDetail:
    """Write a product with its variants, shelf and ledger; PRODUCT_CREATED goes out with it.

    Raises SellerNotActive, InvalidProduct, SkuTaken or SlugTaken.
    """
    check_variants(body.variants, currency)

    async def work(session: WriteSession) -> ProductDetail:
        seller_id = await seller_for(session, principal)
        await _require_category(session, body.category_id)
        detail = _new_product(body, seller_id)
        await _save_new(session, detail, body, principal.user_id)
        return detail

    return await with_refusals(lambda: database.transact(work))


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

    Its slug stays unless another is given, to which the one before leads on. Raises NotFound (also
    for another seller's product), PreconditionFailed, StaleVersion, InvalidProduct, SlugTaken, and
    what `set_status` raises.
    """

    async def work(session: WriteSession) -> ProductDetail:
        may_sell = body.status != ProductStatus.ACTIVE or await store_may_sell(session, product_id)
        product = await lock_own(session, principal, product_id, expected)
        await _require_category(session, body.category_id)
        slug = product.slug
        _apply(product, body, currency)
        if body.status is not None:
            _move(product, ProductStatus(body.status), may_sell=may_sell)
        await save(session, product)
        await note_change(session, SlugKind.PRODUCT, product_id, slug, product.slug)
        return await _detail(session, product_id)

    return await with_refusals(lambda: database.transact(work))


async def set_status(
    database: Database,
    principal: Principal,
    product_id: UUID,
    target: ProductStatus,
    expected: Expectation,
) -> ProductDetail:
    """Publish, withdraw or archive a product. Where it stands so already, nothing changes.

    Raises NotFound, PreconditionFailed, StaleVersion, IllegalProductMove, and for publishing
    SellerNotActive or LastVariant.
    """

    async def work(session: WriteSession) -> ProductDetail:
        may_sell = target is not ProductStatus.ACTIVE or await store_may_sell(session, product_id)
        product = await lock_own(session, principal, product_id, expected)
        if (product.status, product.hidden_at) != (target, None):
            _move(product, target, may_sell=may_sell)
            await save(session, product)
        return await _detail(session, product_id)

    return await database.transact(work)


async def archive(
    database: Database, principal: Principal, product_id: UUID, expected: Expectation
) -> ProductDetail:
    """Take a product out of the shop; its rows stay for the orders that name it.

    Safe to repeat. Raises NotFound or PreconditionFailed.
    """
    target = ProductStatus.ARCHIVED
    return await set_status(database, principal, product_id, target, expected)


def slug_of(name: str, product_id: UUID) -> str:
    """Return the name as a URL part; the id's tail keeps it unique."""
    return f"{slugified(name, max_length=_SLUG_LENGTH) or 'product'}-{product_id.hex[-8:]}"


def _move(product: Product, target: ProductStatus, *, may_sell: bool) -> None:
    if product.status is not target and not may_sell:
        raise SellerNotActive
    product.move_to(target)


async def _detail(session: WriteSession, product_id: UUID) -> ProductDetail:
    detail = await queries.product_detail(session, product_id)
    if detail is None:
        raise NotFound
    return detail


async def _require_category(session: WriteSession, category_id: UUID) -> None:
    if not await queries.category_exists(session, category_id):
        raise unknown_category()


def _new_product(body: ProductIn, seller_id: UUID | None) -> ProductDetail:
    product_id, at = new_id(), now()
    product = Product(
        id=product_id,
        seller_id=seller_id,
        category_id=body.category_id,
        name=body.name,
        slug=body.slug or slug_of(body.name, product_id),
        description=body.description,
        status=ProductStatus(body.status),
        min_price_minor=min(variant.price.amount for variant in body.variants),
        avg_rating=0,
        review_count=0,
        created_at=at,
        updated_at=at,
    )
    variants = [new_variant(product_id, n, variant) for n, variant in enumerate(body.variants)]
    available = {
        variant.id: given.quantity for variant, given in zip(variants, body.variants, strict=True)
    }
    return ProductDetail(product, variants, available, images=())


async def _save_new(
    session: WriteSession, detail: ProductDetail, body: ProductIn, actor_id: UUID
) -> None:
    product = detail.product
    session.add(product)
    await session.flush()
    await note_taken(session, SlugKind.PRODUCT, product.slug)
    session.add_all(detail.variants)
    await session.flush()
    await stock_shelves(session, list(zip(detail.variants, body.variants, strict=True)), actor_id)
    event = ProductCreated(
        product_id=product.id,
        seller_id=product.seller_id,
        name=product.name,
        status=product.status.value,
        product_version=product.version,
    )
    await enqueue(session, event, source=SERVICE)


def _apply(product: Product, body: ProductEdit, currency: str) -> None:
    variants = {variant.id: variant for variant in product.variants}
    for n, edit in enumerate(body.variants):
        variant = variants.get(edit.id)
        if variant is None:
            raise invalid(f"/variants/{n}/id", "unknown_variant", "the product has no such variant")
        apply_change(variant, edit, f"/variants/{n}", currency)
    product.name = body.name
    product.description = body.description
    product.category_id = body.category_id
    if body.slug is not None:
        product.slug = body.slug

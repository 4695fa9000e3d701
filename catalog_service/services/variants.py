"""Variants of a product: added, changed and deactivated one at a time."""

from uuid import UUID

from catalog_service.models.products import Product, ProductVariant
from catalog_service.queries import inventory as stock
from catalog_service.schemas.products import VariantChange, VariantIn, VariantOut
from catalog_service.services.products.rules import (
    Expectation,
    lock_own,
    save,
    with_refusals,
)
from catalog_service.services.products.shapes import variant_out
from catalog_service.services.products.variants import (
    apply_change,
    check_prices,
    new_variant,
    stock_shelves,
)
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import NotFound

# A variant with the version its product has now.
Versioned = tuple[VariantOut, int]


async def add(
    database: Database,
    principal: Principal,
    product_id: UUID,
    body: VariantIn,
    expected: Expectation,
    *,
    currency: str,
) -> Versioned:
    """Put a further variant on the shelf, with its ledger; PRODUCT_UPDATED goes out with it.

    Raises NotFound, PreconditionFailed, StaleVersion, InvalidProduct, SkuTaken, TooManyVariants.
    """
    check_prices("", body.price, body.compare_at_price, currency)

    async def work(session: WriteSession) -> Versioned:
        product = await lock_own(session, principal, product_id, expected)
        variant = new_variant(product_id, 0, body)
        product.add_variant(variant)
        await save(session, product)
        await stock_shelves(session, [(variant, body)], principal.user_id)
        return variant_out(variant, body.quantity), product.version

    return await with_refusals(lambda: database.transact(work))


async def change(
    database: Database,
    principal: Principal,
    product_id: UUID,
    variant_id: UUID,
    *,
    body: VariantChange,
    expected: Expectation,
    currency: str,
) -> Versioned:
    """Change a variant under its product's lock; PRODUCT_UPDATED goes out with it.

    Raises NotFound, PreconditionFailed, StaleVersion, InvalidProduct or LastVariant.
    """

    async def work(session: WriteSession) -> Versioned:
        product = await lock_own(session, principal, product_id, expected)
        variant = _variant(product, variant_id)
        apply_change(variant, body, "", currency)
        await save(session, product)
        found = await stock.stock_by_variant(session, variant_id)
        return variant_out(variant, found.inventory.available if found else 0), product.version

    return await database.transact(work)


async def deactivate(
    database: Database,
    principal: Principal,
    product_id: UUID,
    variant_id: UUID,
    expected: Expectation,
) -> int:
    """Take a variant out of the shop and return the product's version.

    Its rows and what is reserved of it stay, for the orders in flight. Safe to repeat. Raises
    NotFound, PreconditionFailed, or LastVariant for the last one of an active product.
    """

    async def work(session: WriteSession) -> int:
        product = await lock_own(session, principal, product_id, expected)
        variant = _variant(product, variant_id)
        if variant.is_active:
            variant.is_active, variant.updated_at = False, now()
            await save(session, product)
        return product.version

    return await database.transact(work)


def _variant(product: Product, variant_id: UUID) -> ProductVariant:
    for variant in product.variants:
        if variant.id == variant_id:
            return variant
    raise NotFound

"""The parts of a product that are bought: their rows, prices and first stock."""

from collections.abc import Sequence
from uuid import UUID

from catalog_service.models.inventory import Inventory, MovementKind
from catalog_service.models.products import ProductVariant
from catalog_service.queries import inventory as stock
from catalog_service.schemas.products import VariantChange, VariantIn
from catalog_service.services.products.rules import invalid
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.ids import new_id
from common_lib.money import Money


def check_variants(variants: Sequence[VariantIn], currency: str) -> None:
    """Raise InvalidProduct for a price that cannot be, or a SKU given twice."""
    seen: set[str] = set()
    for n, variant in enumerate(variants):
        check_prices(f"/variants/{n}", variant.price, variant.compare_at_price, currency)
        if variant.sku.lower() in seen:
            raise invalid(f"/variants/{n}/sku", "duplicate_sku", "two variants share a SKU")
        seen.add(variant.sku.lower())


def check_prices(pointer: str, price: Money, compare_at: Money | None, currency: str) -> None:
    for name, money in (("price", price), ("compareAtPrice", compare_at)):
        if money is not None and money.currency != currency:
            at = f"{pointer}/{name}/currency"
            raise invalid(at, "unsupported_currency", f"prices are in {currency}")
    if compare_at is not None and compare_at.amount < price.amount:
        at = f"{pointer}/compareAtPrice"
        raise invalid(at, "below_price", "the price to compare with is below the price")


def new_variant(product_id: UUID, position: int, given: VariantIn) -> ProductVariant:
    compare_at, at = given.compare_at_price, now()
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
        created_at=at,
        updated_at=at,
    )


async def stock_shelves(
    session: WriteSession, pairs: Sequence[tuple[ProductVariant, VariantIn]], actor_id: UUID
) -> None:
    """Write the counters of new variants, and the ledger rows they begin with."""
    session.add_all(
        Inventory(variant_id=v.id, quantity=given.quantity, reorder_level=given.reorder_level)
        for v, given in pairs
    )
    ledger = [
        stock.movement(v.id, MovementKind.INITIAL, given.quantity, reason="", actor_id=actor_id)
        for v, given in pairs
    ]
    await stock.write_movements(session, ledger)


def apply_change(
    variant: ProductVariant, change: VariantChange, pointer: str, currency: str
) -> None:
    """Take over what is given; the rest stays. Raises InvalidProduct, pointing below `pointer`."""
    _apply_prices(variant, change, pointer, currency)
    if change.name is not None:
        variant.name = change.name
    if change.attributes is not None:
        variant.attributes = change.attributes
    if change.is_active is not None:
        variant.is_active = change.is_active
    if change.position is not None:
        variant.position = change.position
    variant.updated_at = now()


def _apply_prices(
    variant: ProductVariant, change: VariantChange, pointer: str, currency: str
) -> None:
    compare_at = change.compare_at_price
    if "compare_at_price" not in change.model_fields_set:
        minor = variant.compare_at_price_minor
        compare_at = None if minor is None else Money(amount=minor, currency=variant.currency)
    price = change.price or variant.price
    check_prices(pointer, price, compare_at, currency)
    variant.price_minor = price.amount
    variant.compare_at_price_minor = compare_at.amount if compare_at else None

"""Products with what belongs to them, read in a fixed number of statements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from catalog_service.models.categories import Category
from catalog_service.models.inventory import Inventory
from catalog_service.models.products import (
    Product,
    ProductImage,
    ProductStatus,
    ProductVariant,
)
from catalog_service.models.sellers import Seller
from common_lib.database import AnySession, WriteSession

_Part = TypeVar("_Part", ProductVariant, ProductImage)

_BRANCH: Final = sa.text(
    "WITH RECURSIVE branch (id) AS (SELECT id FROM categories WHERE id = :root"
    " UNION ALL SELECT c.id FROM categories c JOIN branch b ON c.parent_id = b.id)"
    " SELECT id FROM branch"
)


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """A product with its variants, each one's availability, and its pictures."""

    product: Product
    variants: Sequence[ProductVariant]
    available: Mapping[UUID, int]
    images: Sequence[ProductImage]

    def for_everybody(self) -> "ProductDetail":
        """Leave out what cannot be bought."""
        return replace(self, variants=[variant for variant in self.variants if variant.is_active])


@dataclass(frozen=True, slots=True)
class Among:
    """Which products a list is about."""

    statuses: Collection[ProductStatus]
    seller_id: UUID | None = None
    category_ids: Sequence[UUID] | None = None


async def seller_of_user(session: AnySession, user_id: UUID) -> Seller | None:
    return (await session.scalars(sa.select(Seller).where(Seller.user_id == user_id))).one_or_none()


async def lock_seller_of_user(session: WriteSession, user_id: UUID) -> Seller | None:
    """Return the user's store; its row is share-locked."""
    select = sa.select(Seller).where(Seller.user_id == user_id).with_for_update(read=True)
    return (await session.scalars(select)).one_or_none()


async def lock_seller(session: WriteSession, seller_id: UUID) -> Seller | None:
    """Return the store; its row is share-locked."""
    select = sa.select(Seller).where(Seller.id == seller_id).with_for_update(read=True)
    return (await session.scalars(select)).one_or_none()


async def lock_seller_of_product(session: WriteSession, product_id: UUID) -> Seller | None:
    """Return the product's store, None for the shop's own; its row alone is share-locked."""
    of_product = sa.select(Product.seller_id).where(Product.id == product_id).scalar_subquery()
    select = sa.select(Seller).where(Seller.id == of_product).with_for_update(read=True)
    return (await session.scalars(select)).one_or_none()


async def seller_exists(session: AnySession, seller_id: UUID) -> bool:
    select = sa.select(Seller.id).where(Seller.id == seller_id)
    return (await session.execute(select)).scalar() is not None


async def product_id_by_slug(session: AnySession, slug: str) -> UUID | None:
    select = sa.select(Product.id).where(Product.slug == slug)
    return (await session.execute(select)).scalar()


async def newest_ids(
    session: AnySession, among: Among, *, after: UUID | None, limit: int
) -> list[UUID]:
    """Return the next `limit` ids by keyset, newest first: stable while rows are inserted."""
    select = sa.select(Product.id).where(Product.status.in_(among.statuses))
    if among.seller_id is not None:
        select = select.where(Product.seller_id == among.seller_id)
    if among.category_ids is not None:
        select = select.where(Product.category_id.in_(among.category_ids))
    if after is not None:
        select = select.where(Product.id < after)
    return list(await session.scalars(select.order_by(Product.id.desc()).limit(limit)))


async def category_exists(session: AnySession, category_id: UUID) -> bool:
    select = sa.select(Category.id).where(Category.id == category_id)
    return (await session.execute(select)).scalar() is not None


async def category_branch(session: AnySession, root: UUID) -> list[UUID]:
    """Return the ids of a category and everything below it."""
    found = await session.execute(_BRANCH, {"root": root.bytes})
    return [UUID(bytes=id_) for id_ in found.scalars()]


async def lock_product(session: WriteSession, product_id: UUID) -> Product | None:
    """Return the product with its variants; its row is locked."""
    select = (
        sa.select(Product)
        .where(Product.id == product_id)
        .options(selectinload(Product.variants))
        .with_for_update()
    )
    return (await session.scalars(select)).one_or_none()


async def product_detail(session: AnySession, product_id: UUID) -> ProductDetail | None:
    found = await product_details(session, [product_id])
    return found[0] if found else None


async def product_details(session: AnySession, ids: Sequence[UUID]) -> list[ProductDetail]:
    """Return the products in the order of `ids`, in three statements whatever their number."""
    if not ids:
        return []
    products = {
        product.id: product
        for product in await session.scalars(sa.select(Product).where(Product.id.in_(ids)))
    }
    variants, available = await _variants(session, ids)
    images = _by_product(
        await session.scalars(
            sa.select(ProductImage)
            .where(ProductImage.product_id.in_(ids))
            .order_by(ProductImage.position)
        )
    )
    return [
        ProductDetail(products[i], variants.get(i, []), available, images.get(i, []))
        for i in ids
        if i in products
    ]


async def _variants(
    session: AnySession, ids: Sequence[UUID]
) -> tuple[Mapping[UUID, list[ProductVariant]], Mapping[UUID, int]]:
    select = (
        sa.select(ProductVariant, Inventory.quantity - Inventory.reserved)
        .outerjoin(Inventory, Inventory.variant_id == ProductVariant.id)
        .where(ProductVariant.product_id.in_(ids))
        .order_by(ProductVariant.position, ProductVariant.id)
    )
    rows = (await session.execute(select)).all()
    return (
        _by_product(variant for variant, _ in rows),
        {variant.id: available or 0 for variant, available in rows},
    )


def _by_product(rows: Iterable[_Part]) -> Mapping[UUID, list[_Part]]:
    grouped: defaultdict[UUID, list[_Part]] = defaultdict(list)
    for row in rows:
        grouped[row.product_id].append(row)
    return grouped

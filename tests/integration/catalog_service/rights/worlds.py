"""The things that are acted on: a store, its product, and what a customer has of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from catalog_service.models import (
    Category,
    Inventory,
    Product,
    ProductImage,
    ProductImport,
    ProductStatus,
    ProductVariant,
    Purchase,
    Review,
    ReviewStatus,
    Seller,
    SellerStatus,
    StockMovement,
    WishlistItem,
)
from catalog_service.models.inventory import MovementKind
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.rights.callers import Actor


@dataclass(frozen=True)
class Scene:
    """The state of the things a row is about."""

    store: SellerStatus = SellerStatus.ACTIVE
    product: ProductStatus = ProductStatus.ACTIVE
    review: ReviewStatus | None = ReviewStatus.APPROVED

    def __str__(self) -> str:
        review = "no" if self.review is None else self.review
        return f"{self.store} store, {self.product} product, {review} review"

    def of(self, actor: Actor) -> "Scene":
        """Return the scene that an owner with a store of another state acts in."""
        if actor is Actor.PENDING:
            return replace(self, store=SellerStatus.PENDING, product=ProductStatus.DRAFT)
        if actor is Actor.SUSPENDED:
            return replace(self, store=SellerStatus.SUSPENDED, product=ProductStatus.ARCHIVED)
        return self


USUAL: Final = Scene()


@dataclass(frozen=True)
class World:
    """A store with one product, and a customer who bought, reviewed and wished for it."""

    catalog: Catalog
    scene: Scene
    merchant: UUID
    customer: UUID
    ids: Mapping[str, Any]
    prepared: Any = None

    @property
    def secret(self) -> str:
        """A word that all texts of this world hold and no others."""
        return str(self.ids["secret"])

    @property
    def named(self) -> Mapping[str, Any]:
        return self.ids

    def traces(self) -> set[str]:
        """Return what a refusal must not show."""
        return {str(value) for value in self.ids.values()}


async def build(catalog: Catalog, scene: Scene) -> World:
    names = ("store", "product", "variant", "image", "review", "category", "spare", "job")
    ids: dict[str, Any] = {f"{name}_id": new_id() for name in names}
    secret = f"zq{ids['product_id'].hex[-10:]}"
    merchant, customer = new_id(), new_id()
    ids |= {"secret": secret, "slug": f"slug-{secret}", "merchant_id": merchant}
    ids |= {"seller_id": ids["store_id"], "user_id": customer, "import_id": ids["job_id"]}
    world = World(catalog, scene, merchant, customer, ids)
    await catalog.save(*_shop(world), *_stock(world), *_of_customer(world))
    return world


def _shop(world: World) -> list[Any]:
    ids, secret = world.ids, world.secret
    return [
        Seller(
            id=ids["store_id"],
            user_id=world.merchant,
            store_name=f"Store {secret}",
            slug=f"store-{secret}",
            description=secret,
            status=world.scene.store,
        ),
        Category(id=ids["category_id"], name=f"Full {secret}", slug=ids["slug"]),
        Category(id=ids["spare_id"], name=f"Empty {secret}", slug=f"empty-{secret}"),
        Product(
            id=ids["product_id"],
            seller_id=ids["store_id"],
            category_id=ids["category_id"],
            name=f"Kurta {secret}",
            slug=ids["slug"],
            description=secret,
            status=world.scene.product,
            min_price_minor=100,
        ),
    ]


def _stock(world: World) -> list[Any]:
    ids, secret = world.ids, world.secret
    variant_id = ids["variant_id"]
    return [
        ProductVariant(
            id=variant_id,
            product_id=ids["product_id"],
            sku=f"SKU-{secret}",
            name="M",
            price_minor=100,
            attributes={},
        ),
        ProductImage(
            id=ids["image_id"],
            product_id=ids["product_id"],
            url=f"http://images.example/{secret}.png",
        ),
        Inventory(variant_id=variant_id, quantity=10, reorder_level=50),
        StockMovement(
            id=new_id(),
            variant_id=variant_id,
            kind=MovementKind.INITIAL,
            quantity_delta=10,
            reason=secret,
        ),
        ProductImport(
            id=ids["job_id"],
            actor_id=world.merchant,
            seller_id=ids["store_id"],
            source=b"",
            sha256=bytes(32),
            total_rows=1,
        ),
    ]


def _of_customer(world: World) -> list[Any]:
    product_id, customer = world.ids["product_id"], world.customer
    rows: list[Any] = [
        Purchase(user_id=customer, product_id=product_id, order_id=new_id(), quantity=1),
        WishlistItem(user_id=customer, product_id=product_id),
    ]
    if world.scene.review is None:
        return rows
    review = Review(
        id=world.ids["review_id"],
        product_id=product_id,
        user_id=customer,
        rating=4,
        body=f"Said {world.secret}",
        status=world.scene.review,
    )
    return [*rows, review]

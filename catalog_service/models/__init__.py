"""Every table of catalog_db; importing this package completes the metadata."""

from catalog_service.models.base import Base
from catalog_service.models.categories import Category
from catalog_service.models.former_slugs import FormerSlug, SlugKind
from catalog_service.models.images import ImageRemoval
from catalog_service.models.imports import ImportStatus, ProductImport, ProductImportError
from catalog_service.models.inventory import (
    RESERVATION_MOVES,
    Inventory,
    MovementKind,
    Reservation,
    ReservationLine,
    ReservationStatus,
    StockMovement,
)
from catalog_service.models.products import Product, ProductImage, ProductStatus, ProductVariant
from catalog_service.models.purchases import Purchase
from catalog_service.models.reviews import Review, ReviewStatus
from catalog_service.models.search import (
    RebuildStatus,
    SearchDocument,
    SearchRebuild,
    SearchTarget,
    SearchUpdate,
    SearchVariant,
    SearchWord,
)
from catalog_service.models.sellers import Seller, SellerStatus
from catalog_service.models.wishlists import WishlistItem
from common_lib.consumer import define_inbox
from common_lib.outbox import define_outbox

outbox = define_outbox(Base.metadata)
inbox = define_inbox(Base.metadata)

__all__ = [
    "RESERVATION_MOVES",
    "Base",
    "Category",
    "FormerSlug",
    "ImageRemoval",
    "ImportStatus",
    "Inventory",
    "MovementKind",
    "Product",
    "ProductImage",
    "ProductImport",
    "ProductImportError",
    "ProductStatus",
    "ProductVariant",
    "Purchase",
    "RebuildStatus",
    "Reservation",
    "ReservationLine",
    "ReservationStatus",
    "Review",
    "ReviewStatus",
    "SearchDocument",
    "SearchRebuild",
    "SearchTarget",
    "SearchUpdate",
    "SearchVariant",
    "SearchWord",
    "Seller",
    "SellerStatus",
    "SlugKind",
    "StockMovement",
    "WishlistItem",
    "inbox",
    "outbox",
]

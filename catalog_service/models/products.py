"""Products, their variants and their pictures."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalog_service.models.base import Base, Timestamps, enum_column
from catalog_service.schemas.products import MAX_VARIANTS
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict
from common_lib.money import MAX_MINOR, Money


class ProductStatus(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


# Nothing is final: what was archived may be sold again. Whether it may be sold is asked besides.
PRODUCT_MOVES: Final[Mapping[ProductStatus, frozenset[ProductStatus]]] = {
    ProductStatus.DRAFT: frozenset({ProductStatus.ACTIVE, ProductStatus.ARCHIVED}),
    ProductStatus.ACTIVE: frozenset({ProductStatus.DRAFT, ProductStatus.ARCHIVED}),
    ProductStatus.ARCHIVED: frozenset({ProductStatus.DRAFT, ProductStatus.ACTIVE}),
}


class IllegalProductMove(Conflict):
    code = "illegal_transition"
    title = "The product cannot move to that status from where it is"


class LastVariant(Conflict):
    code = "last_variant"
    title = "An active product needs at least one active variant"


class TooManyVariants(Conflict):
    code = "too_many_variants"
    title = f"A product has at most {MAX_VARIANTS} variants, the inactive ones included"


class Product(Timestamps, Base):
    """A product; `version` is the optimistic lock, and the ETag shows it.

    `min_price_minor` is the lowest price among the active variants: what lists sort and filter by.
    Without a seller the shop itself sells it. `hidden_at` is set on an ARCHIVED product that was
    ACTIVE until its store was suspended: it comes back with the store.
    """

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("slug"),
        CheckConstraint("avg_rating BETWEEN 0 AND 5", name="rating_range"),
        CheckConstraint("review_count >= 0 AND total_sold >= 0", name="counts"),
        CheckConstraint(f"min_price_minor BETWEEN 0 AND {MAX_MINOR}", name="min_price_range"),
        Index("ft_products_name_description", "name", "description", mysql_prefix="FULLTEXT"),
        Index("ix_products_status_id", "status", "id"),
        Index("ix_products_status_price", "status", "min_price_minor", "id"),
        Index("ix_products_status_rating", "status", "avg_rating", "id"),
        Index("ix_products_category_status_id", "category_id", "status", "id"),
        Index("ix_products_seller_hidden", "seller_id", "hidden_at"),
        Index("ix_products_seller_status_id", "seller_id", "status", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    seller_id: Mapped[UUID | None] = mapped_column(Id, ForeignKey("sellers.id"))
    category_id: Mapped[UUID] = mapped_column(Id, ForeignKey("categories.id"))
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(220))
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[ProductStatus] = mapped_column(
        enum_column(ProductStatus), default=ProductStatus.DRAFT
    )
    min_price_minor: Mapped[int] = mapped_column(BigInteger)
    avg_rating: Mapped[Decimal] = mapped_column(
        Numeric(3, 2), default=Decimal(0), server_default=text("0")
    )
    review_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    total_sold: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    variants: Mapped[list["ProductVariant"]] = relationship(
        lazy="raise", order_by="ProductVariant.position"
    )
    images: Mapped[list["ProductImage"]] = relationship(
        lazy="raise", order_by="ProductImage.position"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own attribute

    def move_to(self, target: ProductStatus) -> None:
        """Decide the status, for good: it no longer waits for its store to come back.

        Where it stands already is no move. Raises IllegalProductMove.
        """
        if target is not self.status and target not in PRODUCT_MOVES[self.status]:
            raise IllegalProductMove
        self.status = target
        self.hidden_at = None

    def hide(self, moment: datetime) -> None:
        """Leave the shelf for as long as the store is suspended."""
        self.status = ProductStatus.ARCHIVED
        self.hidden_at = self.updated_at = moment

    def come_back(self, moment: datetime) -> None:
        """End the hiding: what has something to buy is on sale again."""
        if any(variant.is_active for variant in self.variants):
            self.status = ProductStatus.ACTIVE
        self.hidden_at = None
        self.updated_at = moment

    def add_variant(self, variant: "ProductVariant") -> None:
        """Put a variant after the others. Raises TooManyVariants."""
        if len(self.variants) >= MAX_VARIANTS:
            raise TooManyVariants
        variant.position = max((each.position for each in self.variants), default=-1) + 1
        self.variants.append(variant)

    def settle(self) -> None:
        """End a change: the lowest price and the time are right again, and the version moves on.

        Raises LastVariant if it would be for sale without anything to buy.
        """
        prices = [variant.price_minor for variant in self.variants if variant.is_active]
        if not prices and self.status is ProductStatus.ACTIVE:
            raise LastVariant
        self.min_price_minor = min(prices, default=self.min_price_minor)
        # Always another value, so that the version moves even where only a variant changed.
        self.updated_at = now()


class ProductVariant(Timestamps, Base):
    """What is sold: one SKU with its price. An inactive one cannot be ordered."""

    __tablename__ = "product_variants"
    __table_args__ = (
        UniqueConstraint("sku"),
        CheckConstraint(f"price_minor BETWEEN 0 AND {MAX_MINOR}", name="price_range"),
        CheckConstraint(
            "compare_at_price_minor IS NULL OR"
            f" compare_at_price_minor BETWEEN price_minor AND {MAX_MINOR}",
            name="compare_at_price_range",
        ),
        Index("ix_product_variants_product_id_position", "product_id", "position"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, ForeignKey("products.id"))
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(160))
    price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(CHAR(3), default="INR", server_default=text("'INR'"))
    compare_at_price_minor: Mapped[int | None] = mapped_column(BigInteger)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("1"))
    position: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))

    @property
    def price(self) -> Money:
        return Money(amount=self.price_minor, currency=self.currency)


class ProductImage(Timestamps, Base):
    """A picture; the first by `position` is the one lists show.

    `storage_key` names the checked upload in the bucket. Rows of the seed data have only a `url`.
    """

    __tablename__ = "product_images"
    __table_args__ = (UniqueConstraint("product_id", "position"), TABLE_OPTIONS)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, ForeignKey("products.id"))
    url: Mapped[str] = mapped_column(String(1024))
    alt_text: Mapped[str] = mapped_column(String(255), default="", server_default=text("''"))
    position: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    storage_key: Mapped[str | None] = mapped_column(String(255))
    content_type: Mapped[str | None] = mapped_column(String(64))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    size_bytes: Mapped[int | None] = mapped_column(Integer)

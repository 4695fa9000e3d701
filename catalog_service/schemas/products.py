"""Products on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, WrapValidator

from catalog_service.schemas.inventory import MAX_COUNT, Version
from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel
from common_lib.text import SLUG, SLUG_WANTED, ManyLines, OneLine, Shaped, distinct_names

Name = Annotated[str, OneLine(200)]
VariantName = Annotated[str, OneLine(160)]
Description = Annotated[str, ManyLines(10_000, min_length=0)]
Sku = Annotated[
    str,
    Shaped(
        r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
        "Use letters a to z, digits and . _ / -, beginning with a letter or a digit",
        max_length=64,
    ),
]
Label = Annotated[str, OneLine(64)]
AttributeValue = Annotated[str, OneLine(255, min_length=0)]
Attributes = Annotated[
    dict[Label, AttributeValue], Field(max_length=20), WrapValidator(distinct_names)
]
Slug = Annotated[str, Shaped(SLUG, SLUG_WANTED, max_length=200)]
Count = Annotated[int, Field(ge=0, lt=MAX_COUNT)]
Status = Literal["DRAFT", "ACTIVE", "ARCHIVED"]
MAX_VARIANTS = 100


class VariantIn(RequestModel):
    """A variant of a new product with what is on the shelf."""

    sku: Sku
    name: VariantName
    price: Money
    compare_at_price: Money | None = None
    attributes: Attributes = Field(default_factory=dict)
    quantity: Count
    reorder_level: Count = 0


class ProductIn(RequestModel):
    """A new product; without a slug it gets one from its name."""

    name: Name
    slug: Slug | None = None
    description: Description
    category_id: LaxId
    status: Literal["DRAFT", "ACTIVE"] = "DRAFT"
    variants: Annotated[list[VariantIn], Field(min_length=1, max_length=MAX_VARIANTS)]


class VariantAdd(VariantIn):
    """A further variant of a product; `version` is the product's."""

    version: Version | None = None


class VariantChange(RequestModel):
    """New values for a variant; what is absent stays as it is.

    A `compareAtPrice` of null takes the comparison away.
    """

    name: VariantName | None = None
    price: Money | None = None
    compare_at_price: Money | None = None
    attributes: Attributes | None = None
    is_active: bool | None = None
    position: Count | None = None


class VariantUpdate(VariantChange):
    """A change of one variant; `version` is the product's."""

    version: Version | None = None


class VariantEdit(VariantChange):
    """A change of one variant within its product's."""

    id: LaxId


class ProductEdit(RequestModel):
    """The product anew; variants not named stay. `version` or If-Match guards against overlap."""

    name: Name
    slug: Slug | None = None
    description: Description
    category_id: LaxId
    status: Status | None = None
    version: Version | None = None
    variants: Annotated[list[VariantEdit], Field(max_length=MAX_VARIANTS)] = Field(
        default_factory=list
    )


class StatusIn(RequestModel):
    """Publish, withdraw or archive; `version` is the one the decision was made on."""

    status: Status
    version: Version | None = None


class VariantOut(ApiModel):
    id: UUID
    sku: str
    name: str
    price: Money
    compare_at_price: Money | None
    attributes: dict[str, str]
    is_active: bool
    position: int
    available: int


class VariantList(ApiModel):
    """All at once: a product has at most a hundred, so there is never a next page."""

    items: tuple[VariantOut, ...]
    next_cursor: str | None = None


class ImageOut(ApiModel):
    """A picture; its size in pixels is known of those that were uploaded."""

    id: UUID
    url: str
    alt_text: str
    width: int | None
    height: int | None


class ProductOut(ApiModel):
    id: UUID
    name: str
    slug: str
    description: str
    category_id: UUID
    seller_id: UUID | None
    status: str
    avg_rating: float
    review_count: int
    version: int
    variants: tuple[VariantOut, ...]
    images: tuple[ImageOut, ...]
    created_at: datetime
    updated_at: datetime


class ProductPage(ApiModel):
    items: tuple[ProductOut, ...]
    next_cursor: str | None

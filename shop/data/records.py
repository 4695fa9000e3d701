"""What the seed files hold, one frozen type per kind of entry.

Names in the files are camelCase like the API's; amounts are paise, percentages basis points.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from common_lib.money import MAX_MINOR
from shop.data.stable_ids import SEED_DAY, stable_id


def unwrapped(text: str) -> str:
    return " ".join(text.split())


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=140)]
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)+$", max_length=64)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# Prose is wrapped in the files; a line break there is a space.
Prose = Annotated[str, StringConstraints(min_length=1), AfterValidator(unwrapped)]
Paise = Annotated[int, Field(strict=True, gt=0, le=MAX_MINOR)]
Count = Annotated[int, Field(strict=True, ge=0)]


class Record(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, extra="forbid", validate_by_name=False
    )


class Role(StrEnum):
    CUSTOMER = "CUSTOMER"
    SELLER = "SELLER"
    ADMIN = "ADMIN"


class Address(Record):
    key: Slug
    label: Line
    full_name: Line
    phone: Line
    address_line1: Line
    address_line2: Line | None = None
    city: Line
    state: Line
    pincode: Line
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]

    @property
    def id(self) -> UUID:
        return stable_id("address", self.key)


class Account(Record):
    """A user; `address` is the default one."""

    key: Slug
    email: Annotated[str, StringConstraints(pattern=r"^[a-z]+@shop\.example$")]
    full_name: Line
    phone: Line
    role: Role
    address: Address | None = None

    @property
    def id(self) -> UUID:
        return stable_id("user", self.key)


class Seller(Record):
    """A store; `owner` is an account's key, and `key` the store's slug."""

    key: Slug
    owner: Slug
    store_name: Line
    description: Prose

    @property
    def id(self) -> UUID:
        return stable_id("seller", self.key)


class Category(Record):
    """A node of the tree; `key` is its slug."""

    key: Slug
    parent: Slug | None = None
    name: Line

    @property
    def id(self) -> UUID:
        return stable_id("category", self.key)


class Variant(Record):
    sku: Sku
    name: Line
    attributes: Mapping[str, str]
    price: Paise
    compare_at_price: Paise | None = None
    quantity: Count
    reorder_level: Count

    @model_validator(mode="after")
    def _was_dearer_before(self) -> Self:
        if self.compare_at_price is not None and self.compare_at_price <= self.price:
            raise ValueError(f"{self.sku}: compareAtPrice must be above price")
        return self

    @property
    def id(self) -> UUID:
        return stable_id("variant", self.sku)


class ProductStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DRAFT = "DRAFT"
    ARCHIVED = "ARCHIVED"


class Product(Record):
    """A product of one store in one leaf of the tree; `key` is its slug."""

    key: Slug
    category: Slug
    seller: Slug
    listed: date
    name: Annotated[Line, StringConstraints(max_length=200)]
    description: Prose
    status: ProductStatus = ProductStatus.ACTIVE
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def _listed_since_the_shop_opened(self) -> Self:
        if self.listed < SEED_DAY:
            raise ValueError(f"{self.key}: listed before {SEED_DAY}")
        return self

    @property
    def id(self) -> UUID:
        return stable_id("product", self.key, self.listed)

    @property
    def min_price(self) -> int:
        return min(variant.price for variant in self.variants)


class Coupon(Record):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,32}$")]
    description: Prose
    type: Literal["PERCENTAGE", "FIXED"]
    percent_basis_points: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    amount: Paise | None = None
    max_discount: Paise | None = None
    min_order: Count
    usage_limit: Annotated[int, Field(strict=True, gt=0)] | None = None
    per_user_limit: Annotated[int, Field(strict=True, gt=0)]
    valid_from: date
    valid_until: date

    @model_validator(mode="after")
    def _value_fits_type(self) -> Self:
        is_percentage = self.type == "PERCENTAGE"
        if is_percentage != (self.percent_basis_points is not None):
            raise ValueError(f"{self.code}: percentBasisPoints belongs to PERCENTAGE alone")
        if is_percentage != (self.amount is None):
            raise ValueError(f"{self.code}: amount belongs to FIXED alone")
        return self

    @property
    def id(self) -> UUID:
        return stable_id("coupon", self.code)

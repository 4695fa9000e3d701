"""The seeds as rows of the services' tables, which are named here because no service is imported.

Rows stand in the order their foreign keys ask for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, ColumnClause, TableClause, column, table

from common_lib.database import Id, UtcDateTime
from shop.data.reader import Seeds
from shop.data.records import Account, Address, Category, Coupon, Product, Seller, Variant
from shop.data.stable_ids import SEED_DAY, midnight, stable_id

CURRENCY: Final = "INR"
_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(
        ("id", "user_id", "parent_id", "seller_id", "category_id", "product_id", "variant_id"), Id
    ),
    **dict.fromkeys(("created_at", "updated_at", "valid_from", "valid_until"), UtcDateTime),
    **dict.fromkeys(("preferences", "attributes"), JSON),
}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Batch:
    """Rows of one table; `key` names the column that identifies each."""

    name: str
    rows: Sequence[Row]
    key: str = "id"

    @property
    def table(self) -> TableClause:
        return table(self.name, *(_column(name) for name in self.rows[0]))

    @property
    def ids(self) -> list[UUID]:
        return [row[self.key] for row in self.rows]

    def in_key_order(self) -> list[Row]:
        """Return the rows as the primary index holds them, so that its pages fill one by one."""
        return sorted(self.rows, key=lambda row: row[self.key].bytes)


def users_db(seeds: Seeds, password_hash: str) -> list[Batch]:
    addressed = [(a, a.address) for a in seeds.accounts if a.address]
    return [
        Batch("users", [_user(account, password_hash) for account in seeds.accounts]),
        Batch("addresses", [_address(account, address) for account, address in addressed]),
    ]


def catalog_db(seeds: Seeds) -> list[Batch]:
    owners = {account.key: account.id for account in seeds.accounts}
    return [
        Batch("categories", _categories(seeds.categories)),
        Batch("sellers", [_seller(seller, owners[seller.owner]) for seller in seeds.sellers]),
        *listings(seeds.products),
    ]


def listings(products: Sequence[Product]) -> list[Batch]:
    """Return the rows of the products with all that hangs on them; stores and leaves are there."""
    listed = [(product, n, v) for product in products for n, v in enumerate(product.variants)]
    return [
        Batch("products", [_product(product) for product in products]),
        Batch("product_variants", [_variant(p, position, v) for p, position, v in listed]),
        Batch("inventory", [_inventory(p, v) for p, _, v in listed], key="variant_id"),
        Batch("stock_movements", [_opening_stock(p, v) for p, _, v in listed]),
    ]


def orders_db(seeds: Seeds) -> list[Batch]:
    return [Batch("coupons", [_coupon(coupon) for coupon in seeds.coupons])]


def _column(name: str) -> ColumnClause[Any]:
    return column(name, _TYPES.get(name))


def _timestamps(day: date = SEED_DAY) -> Row:
    return {"created_at": midnight(day), "updated_at": midnight(day)}


def _user(account: Account, password_hash: str) -> Row:
    return {
        "id": account.id,
        "email": account.email,
        "password_hash": password_hash,
        "full_name": account.full_name,
        "phone": account.phone,
        "role": account.role.value,
        "status": "ACTIVE",
        "email_verified": True,
        "preferences": {},
        "version": 1,
        **_timestamps(),
    }


def _address(account: Account, address: Address) -> Row:
    return {
        "id": address.id,
        "user_id": account.id,
        **address.model_dump(exclude={"key"}),
        "is_default": True,
        **_timestamps(),
    }


def _categories(categories: Sequence[Category]) -> list[Row]:
    ids = {category.key: category.id for category in categories}
    return [
        {
            "id": category.id,
            "parent_id": category.parent and ids[category.parent],
            "name": category.name,
            "slug": category.key,
            "position": position,
            **_timestamps(),
        }
        for position, category in enumerate(categories)
    ]


def _seller(seller: Seller, owner: UUID) -> Row:
    return {
        "id": seller.id,
        "user_id": owner,
        "store_name": seller.store_name,
        "slug": seller.key,
        "description": seller.description,
        "status": "ACTIVE",
        **_timestamps(),
    }


def _product(product: Product) -> Row:
    return {
        "id": product.id,
        "seller_id": stable_id("seller", product.seller),
        "category_id": stable_id("category", product.category),
        "name": product.name,
        "slug": product.key,
        "description": product.description,
        "status": product.status.value,
        "min_price_minor": product.min_price,
        "version": 1,
        **_timestamps(product.listed),
    }


def _variant(product: Product, position: int, variant: Variant) -> Row:
    return {
        "id": variant.id,
        "product_id": product.id,
        "sku": variant.sku,
        "name": variant.name,
        "price_minor": variant.price,
        "currency": CURRENCY,
        "compare_at_price_minor": variant.compare_at_price,
        "attributes": dict(variant.attributes),
        "is_active": True,
        "position": position,
        **_timestamps(product.listed),
    }


def _inventory(product: Product, variant: Variant) -> Row:
    return {
        "variant_id": variant.id,
        "quantity": variant.quantity,
        "reserved": 0,
        "reorder_level": variant.reorder_level,
        "version": 1,
        "updated_at": midnight(product.listed),
    }


def _opening_stock(product: Product, variant: Variant) -> Row:
    return {
        "id": stable_id("stock-movement", variant.sku),
        "variant_id": variant.id,
        "kind": "INITIAL",
        "quantity_delta": variant.quantity,
        "reserved_delta": 0,
        "reason": "opening stock",
        "created_at": midnight(product.listed),
    }


def _coupon(coupon: Coupon) -> Row:
    return {
        "id": coupon.id,
        "code": coupon.code,
        "description": coupon.description,
        "type": coupon.type,
        "percent_basis_points": coupon.percent_basis_points,
        "amount_minor": coupon.amount,
        "max_discount_minor": coupon.max_discount,
        "min_order_minor": coupon.min_order,
        "currency": CURRENCY,
        "usage_limit": coupon.usage_limit,
        "per_user_limit": coupon.per_user_limit,
        "used_count": 0,
        "valid_from": midnight(coupon.valid_from),
        "valid_until": midnight(coupon.valid_until),
        "is_active": True,
        "version": 1,
        **_timestamps(),
    }

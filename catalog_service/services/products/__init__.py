"""Products: creating, changing and showing them."""

from catalog_service.services.products.changes import (
    archive,
    create,
    set_status,
    slug_of,
    update,
)
from catalog_service.services.products.lookups import (
    Page,
    all_shown,
    by_slug,
    may_manage,
    of_category,
    of_seller,
    owned,
    shown,
    variants_of,
)
from catalog_service.services.products.rules import (
    Expectation,
    InvalidProduct,
    SellerNotActive,
    SkuTaken,
    SlugTaken,
)
from catalog_service.services.products.shapes import product_out, variant_out, variants_out
from catalog_service.services.products.variants import check_variants

__all__ = [
    "Expectation",
    "InvalidProduct",
    "Page",
    "SellerNotActive",
    "SkuTaken",
    "SlugTaken",
    "all_shown",
    "archive",
    "by_slug",
    "check_variants",
    "create",
    "may_manage",
    "of_category",
    "of_seller",
    "owned",
    "product_out",
    "set_status",
    "shown",
    "slug_of",
    "update",
    "variant_out",
    "variants_of",
    "variants_out",
]

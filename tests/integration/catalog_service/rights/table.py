"""The table: every route of the catalog, and who may call it according to api.md."""

from typing import Final

from tests.integration.catalog_service.rights import buying, selling

ROWS: Final = (
    *selling.FINDING,
    *selling.PRODUCTS,
    *selling.FILES,
    *selling.STOCK,
    *buying.REVIEWS,
    *buying.CATEGORIES,
    *buying.STORES,
    *buying.WISHLISTS,
    *buying.INTERNAL,
    *buying.HELD,
    *buying.OPERATIONS,
)

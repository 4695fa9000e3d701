"""The catalog's endpoints."""

from catalog_service.api import (
    categories,
    internal,
    inventory,
    product_page,
    products,
    search,
    variants,
)

# Search goes first: its path would otherwise be taken for a product's id.
ROUTERS = (
    search.router,
    products.router,
    variants.router,
    categories.router,
    inventory.router,
    internal.router,
)
ROUTES = (product_page.product_route, internal.reserve_route)

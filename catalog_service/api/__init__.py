"""The catalog's endpoints."""

from catalog_service.api import (
    categories,
    images,
    imports,
    internal,
    inventory,
    people,
    product_page,
    products,
    reviews,
    search,
    sellers,
    variants,
    wishlists,
)

# Search and imports go first: their paths would otherwise be taken for a product's id.
ROUTERS = (
    search.router,
    search.suggest_router,
    imports.router,
    products.router,
    variants.router,
    images.router,
    reviews.router,
    categories.router,
    sellers.router,
    wishlists.router,
    inventory.router,
    internal.router,
    people.router,
)
ROUTES = (product_page.product_route, internal.reserve_route)

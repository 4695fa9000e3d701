"""The rows of the table about products, their files and the shelf."""

from typing import Final

from tests.integration.catalog_service.rights.asked import (
    DRAFT,
    KEEPERS,
    PRODUCT,
    SHELF,
    VARIANT,
    edit,
    file,
    managed,
    new_product,
    new_variant,
    uploaded,
)
from tests.integration.catalog_service.rights.callers import (
    NO_STORE,
    Actor,
    everybody,
    merchants,
    readers,
)
from tests.integration.catalog_service.rights.rows import Row
from tests.rights.answers import BLIND, DONE, GONE, SEES

FINDING: Final = (
    # What was found by words is tried in tests of its own: the index is filled by the worker.
    Row("GET", "/api/products/search", "P", everybody(DONE), query="?q={secret}"),
    Row("GET", "/api/products/suggest", "P", everybody(DONE), query="?q={secret}"),
    Row("GET", "/api/products", "P", everybody()),
    Row("GET", "/api/products", "P", everybody(BLIND), scene=DRAFT),
    Row("GET", "/api/products", "P", everybody(BLIND), query="?sellerId={store_id}", scene=DRAFT),
    Row("GET", "/api/products/slug/{slug}", "P", readers()),
    Row("GET", "/api/products/slug/{slug}", "P, a draft: S,A", managed(), scene=DRAFT),
    Row("GET", "/api/products/seller/{seller_id}", "P", readers()),
    Row("GET", "/api/products/seller/{seller_id}", "P", readers(BLIND), scene=DRAFT),
    Row(
        "GET",
        "/api/products/seller/{seller_id}",
        "P, all states: S,A",
        merchants(),
        query="?status=ALL",
        scene=DRAFT,
    ),
    Row("GET", "/api/products/category/{category_id}", "P", everybody()),
    Row("GET", "/api/products/category/{category_id}", "P", everybody(BLIND), scene=DRAFT),
    Row("GET", PRODUCT, "P", everybody()),
    Row("GET", PRODUCT, "P, a draft: S,A", managed(), scene=DRAFT),
)

PRODUCTS: Final = (
    Row(
        "POST",
        "/api/products",
        "S,A",
        merchants(others=DONE, suspended=NO_STORE) | {Actor.STORELESS: NO_STORE},
        success=201,
        body=new_product,
    ),
    Row("PUT", PRODUCT, "S,A", merchants(), body=edit),
    Row("DELETE", PRODUCT, "S,A", merchants(), success=204, shows=""),
    Row(
        "PATCH",
        f"{PRODUCT}/status",
        "S,A",
        merchants(),
        body=lambda _: {"status": "DRAFT"},
    ),
    Row(
        "PATCH",
        f"{PRODUCT}/status",
        "S,A",
        merchants(suspended=NO_STORE),
        body=lambda _: {"status": "ACTIVE"},
        scene=DRAFT,
        note="a suspended store keeps its products but does not sell them",
    ),
    Row("GET", f"{PRODUCT}/variants", "P", readers()),
    Row("GET", f"{PRODUCT}/variants", "P, a draft: S,A", managed(), scene=DRAFT),
    Row(
        "POST",
        f"{PRODUCT}/variants",
        "S",
        merchants(),
        success=201,
        body=new_variant,
        note="A too: the shop's own products have no seller, and A edits all variants anyway",
    ),
    Row("PUT", VARIANT, "S,A", merchants(), body=lambda world: {"name": world.secret}),
    Row("DELETE", VARIANT, "S,A", merchants(), success=204, shows="", scene=DRAFT),
    Row(
        "POST",
        f"{PRODUCT}/images/presign",
        "S,A",
        merchants(),
        body=lambda _: {"contentType": "image/png", "sizeBytes": 1000},
        shows="{product_id}",
    ),
    Row(
        "POST",
        f"{PRODUCT}/images",
        "S,A",
        merchants(),
        success=201,
        body=lambda world: {"key": world.prepared, "altText": world.secret},
        prepare=uploaded,
    ),
    Row(
        "DELETE",
        PRODUCT + "/images/{image_id}",
        "S,A",
        merchants(),
        success=204,
        shows="",
    ),
)

FILES: Final = (
    Row(
        "POST",
        "/api/products/import",
        "S,A",
        merchants(others=DONE, suspended=NO_STORE) | {Actor.STORELESS: NO_STORE},
        success=202,
        body=file,
        is_csv=True,
        shows="",
    ),
    Row(
        "POST",
        "/api/products/import",
        "S,A",
        merchants(suspended=NO_STORE),
        success=202,
        body=file,
        is_csv=True,
        query="?sellerId={store_id}",
        shows="{store_id}",
    ),
    Row("GET", "/api/imports/{import_id}", "S,A", merchants(), shows="{import_id}"),
    Row(
        "GET",
        "/api/products/export",
        "S,A",
        merchants(others=BLIND) | {Actor.STORELESS: GONE},
    ),
    Row("GET", "/api/products/export", "S,A", merchants(), query="?sellerId={store_id}"),
)

STOCK: Final = (
    Row(
        "GET",
        SHELF,
        "P, the counters: S,A",
        readers(BLIND) | dict.fromkeys(KEEPERS, SEES) | {Actor.PENDING: GONE},
        shows='"reserved":',
        note="a pending store's product is a draft, and its stock not displayed",
    ),
    Row("GET", SHELF, "P, a draft's: S,A", managed(), scene=DRAFT, shows='"reserved":'),
    Row(
        "PUT",
        SHELF,
        "S,A",
        merchants(),
        body=lambda _: {"reorderLevel": 3},
        shows='"reorderLevel":3',
        note="not in api.md: what sets the level of its low-stock list",
    ),
    Row(
        "POST",
        f"{SHELF}/adjust",
        "S,A",
        merchants(),
        body=lambda world: {"delta": 5, "reason": world.secret},
        shows='"quantity":15',
    ),
    Row("GET", f"{SHELF}/movements", "S,A", merchants()),
    Row(
        "GET",
        "/api/inventory/low-stock",
        "S,A",
        merchants(others=BLIND, suspended=BLIND) | {Actor.STORELESS: GONE, Actor.ADMIN: DONE},
        note="what a suspended store has is not for sale, so nothing of it runs low",
    ),
    Row(
        "GET",
        "/api/inventory/low-stock",
        "S,A",
        merchants(suspended=BLIND),
        query="?sellerId={store_id}",
    ),
)

"""The table: every route of the catalog, and who may call it according to api.md."""

from typing import Any, Final

from catalog_service.models import ProductStatus, ReviewStatus, SellerStatus
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.csv_files import row as csv_row
from tests.integration.catalog_service.csv_files import written
from tests.integration.catalog_service.rights import (
    BLIND,
    DONE,
    GONE,
    NO_STORE,
    PEOPLE,
    SEES,
    STRANGERS,
    WRONG_ROLE,
    Actor,
    Answers,
    Refused,
    Row,
    Scene,
    World,
    administrators,
    everybody,
    merchants,
    owner_only,
    readers,
    services,
)
from tests.integration.catalog_service.test_images import Merchant, png

_DRAFT: Final = Scene(product=ProductStatus.DRAFT)
_UNREVIEWED: Final = Scene(review=None)
_WAITING: Final = Scene(review=ReviewStatus.PENDING)
_CLOSED: Final = Scene(store=SellerStatus.PENDING, product=ProductStatus.DRAFT)
_EXISTS: Final = Refused(409, "seller_exists")
_NO_PURCHASE: Final = Refused(403, "purchase_required")

_PRODUCT: Final = "/api/products/{product_id}"
_VARIANT: Final = _PRODUCT + "/variants/{variant_id}"
_KEEPERS: Final = (Actor.SELLER, Actor.SUSPENDED, Actor.ADMIN)
_SPARE: Final = {"category_id": "spare_id"}


def _hidden() -> Answers:
    """P of what is not on sale: there is no such thing."""
    return readers() | dict.fromkeys((Actor.ANONYMOUS, *PEOPLE), GONE)


def _managed() -> Answers:
    """P of what is not on sale: shown to those who manage it."""
    return _hidden() | dict.fromkeys(_KEEPERS, SEES)


def _new_product(world: World) -> Any:
    return {
        "name": f"New {world.secret}",
        "description": "Cotton",
        "categoryId": str(world.ids["category_id"]),
        "variants": [_new_variant(world)],
    }


def _new_variant(world: World) -> Any:
    price = {"amount": 100, "currency": "INR"}
    return {"sku": f"S-{new_id().hex}", "name": world.secret, "price": price, "quantity": 1}


def _edit(world: World) -> Any:
    name = f"Edited {world.secret}"
    return {"name": name, "description": "", "categoryId": str(world.ids["category_id"])}


def _line(world: World) -> Any:
    return {"variantId": str(world.ids["variant_id"]), "quantity": 1}


def _reservation(world: World) -> Any:
    ids = {"reservationId": str(new_id()), "orderId": str(new_id())}
    return {**ids, "fingerprint": "f", "items": [_line(world)]}


async def _reserved(world: World) -> str:
    command = await world.catalog.reserve((world.ids["variant_id"], 1))
    return str(command.reservation_id)


async def _uploaded(world: World) -> str:
    admin = world.catalog.bearer(Role.ADMIN)
    return await Merchant(world.catalog, world.ids["product_id"], admin).upload(png((2, 2)))


def _review(world: World) -> Any:
    return {"rating": 5, "body": f"New {world.secret}"}


def _file(world: World) -> Any:
    return written(csv_row(product_name=world.secret))


FINDING: Final = (
    # What was found by words is tried in tests of its own: the index is filled by the worker.
    Row("GET", "/api/products/search", "P", everybody(DONE), query="?q={secret}"),
    Row("GET", "/api/products/suggest", "P", everybody(DONE), query="?q={secret}"),
    Row("GET", "/api/products", "P", everybody()),
    Row("GET", "/api/products", "P", everybody(BLIND), scene=_DRAFT),
    Row("GET", "/api/products", "P", everybody(BLIND), query="?sellerId={store_id}", scene=_DRAFT),
    Row("GET", "/api/products/slug/{slug}", "P", readers()),
    Row("GET", "/api/products/slug/{slug}", "P, a draft: S,A", _managed(), scene=_DRAFT),
    Row("GET", "/api/products/seller/{seller_id}", "P", readers()),
    Row("GET", "/api/products/seller/{seller_id}", "P", readers(BLIND), scene=_DRAFT),
    Row(
        "GET",
        "/api/products/seller/{seller_id}",
        "P, all states: S,A",
        merchants(),
        query="?status=ALL",
        scene=_DRAFT,
    ),
    Row("GET", "/api/products/category/{category_id}", "P", everybody()),
    Row("GET", "/api/products/category/{category_id}", "P", everybody(BLIND), scene=_DRAFT),
    Row("GET", _PRODUCT, "P", everybody()),
    Row("GET", _PRODUCT, "P, a draft: S,A", _managed(), scene=_DRAFT),
)

PRODUCTS: Final = (
    Row(
        "POST",
        "/api/products",
        "S,A",
        merchants(others=DONE, suspended=NO_STORE) | {Actor.STORELESS: NO_STORE},
        success=201,
        body=_new_product,
    ),
    Row("PUT", _PRODUCT, "S,A", merchants(), body=_edit),
    Row("DELETE", _PRODUCT, "S,A", merchants(), success=204, shows=""),
    Row(
        "PATCH",
        f"{_PRODUCT}/status",
        "S,A",
        merchants(),
        body=lambda _: {"status": "DRAFT"},
    ),
    Row(
        "PATCH",
        f"{_PRODUCT}/status",
        "S,A",
        merchants(suspended=NO_STORE),
        body=lambda _: {"status": "ACTIVE"},
        scene=_DRAFT,
        note="a suspended store keeps its products but does not sell them",
    ),
    Row("GET", f"{_PRODUCT}/variants", "P", readers()),
    Row("GET", f"{_PRODUCT}/variants", "P, a draft: S,A", _managed(), scene=_DRAFT),
    Row(
        "POST",
        f"{_PRODUCT}/variants",
        "S",
        merchants(),
        success=201,
        body=_new_variant,
        note="A too: the shop's own products have no seller, and A edits all variants anyway",
    ),
    Row("PUT", _VARIANT, "S,A", merchants(), body=lambda world: {"name": world.secret}),
    Row("DELETE", _VARIANT, "S,A", merchants(), success=204, shows="", scene=_DRAFT),
    Row(
        "POST",
        f"{_PRODUCT}/images/presign",
        "S,A",
        merchants(),
        body=lambda _: {"contentType": "image/png", "sizeBytes": 1000},
        shows="{product_id}",
    ),
    Row(
        "POST",
        f"{_PRODUCT}/images",
        "S,A",
        merchants(),
        success=201,
        body=lambda world: {"key": world.prepared, "altText": world.secret},
        prepare=_uploaded,
    ),
    Row(
        "DELETE",
        _PRODUCT + "/images/{image_id}",
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
        body=_file,
        is_csv=True,
        shows="",
    ),
    Row(
        "POST",
        "/api/products/import",
        "S,A",
        merchants(others=WRONG_ROLE, suspended=WRONG_ROLE) | {Actor.SELLER: WRONG_ROLE},
        success=202,
        body=_file,
        is_csv=True,
        query="?sellerId={store_id}",
        shows="{store_id}",
        note="only A imports for a store by its id, so S is told 403 for every id alike",
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

REVIEWS: Final = (
    Row("GET", f"{_PRODUCT}/reviews", "P", readers()),
    Row(
        "GET",
        f"{_PRODUCT}/reviews",
        "P",
        readers(BLIND) | {Actor.CUSTOMER: SEES},
        scene=_WAITING,
        note="who wrote it sees what waits for a moderator",
    ),
    Row("GET", f"{_PRODUCT}/reviews", "P", _hidden(), scene=_DRAFT),
    Row(
        "POST",
        f"{_PRODUCT}/reviews",
        "C",
        owner_only(Actor.CUSTOMER)
        | dict.fromkeys(
            (Actor.OTHER_CUSTOMER, Actor.OTHER_SELLER, Actor.STORELESS, Actor.PENDING),
            _NO_PURCHASE,
        )
        | {Actor.SUSPENDED: _NO_PURCHASE, Actor.ADMIN: _NO_PURCHASE}
        | {Actor.SELLER: Refused(403, "own_product")},
        success=201,
        body=_review,
        scene=_UNREVIEWED,
        note="a seller or an administrator is a customer, too; who did not buy may not",
    ),
    Row("PUT", "/api/reviews/{review_id}", "C", owner_only(Actor.CUSTOMER), body=_review),
    Row(
        "DELETE",
        "/api/reviews/{review_id}",
        "C",
        owner_only(Actor.CUSTOMER, Actor.ADMIN),
        success=204,
        shows="",
        note="A too: what must not be kept, such as somebody's address, has to go for good",
    ),
    Row("GET", "/api/reviews", "A", administrators() | {Actor.ADMIN: DONE}, scene=_WAITING),
    Row(
        "PATCH",
        "/api/reviews/{review_id}/status",
        "A",
        administrators(),
        body=lambda _: {"status": "APPROVED"},
        scene=_WAITING,
    ),
)

CATEGORIES: Final = (
    Row("GET", "/api/categories", "P", everybody(DONE)),
    Row(
        "POST",
        "/api/categories",
        "A",
        administrators(),
        success=201,
        body=lambda world: {"name": f"New {world.secret}"},
    ),
    Row(
        "PUT",
        "/api/categories/{category_id}",
        "A",
        administrators(),
        body=lambda world: {"name": f"Edited {world.secret}"},
        names=_SPARE,
    ),
    Row(
        "DELETE",
        "/api/categories/{category_id}",
        "A",
        administrators(),
        success=204,
        shows="",
        names=_SPARE,
    ),
    Row(
        "POST",
        "/api/categories/{category_id}/move",
        "A",
        administrators(),
        body=lambda world: {"parentId": str(world.ids["category_id"])},
        names=_SPARE,
    ),
)

STORES: Final = (
    Row(
        "POST",
        "/api/sellers",
        "C",
        STRANGERS
        | dict.fromkeys(PEOPLE, DONE)
        | {Actor.GUEST: WRONG_ROLE, Actor.SELLER: _EXISTS, Actor.OTHER_SELLER: _EXISTS}
        | {Actor.PENDING: _EXISTS, Actor.SUSPENDED: _EXISTS},
        success=201,
        body=lambda world: {"storeName": f"New {world.secret}"},
    ),
    Row("GET", "/api/sellers", "A", administrators()),
    Row("GET", "/api/sellers/{seller_id}", "P", readers()),
    Row(
        "GET",
        "/api/sellers/{seller_id}",
        "P, not open: S,A",
        _managed() | {Actor.PENDING: SEES},
        scene=_CLOSED,
        note="an applicant is a customer still, and sees the own application",
    ),
    Row(
        "PUT",
        "/api/sellers/{seller_id}",
        "S",
        owner_only(Actor.SELLER, Actor.PENDING, Actor.SUSPENDED),
        body=lambda world: {"storeName": f"Edited {world.secret}"},
        note="an applicant is a customer still, and may mend the own application",
    ),
    Row(
        "PATCH",
        "/api/sellers/{seller_id}/status",
        "A",
        administrators(),
        body=lambda _: {"status": "SUSPENDED"},
    ),
)

WISHLISTS: Final = (
    Row("GET", "/api/wishlists/{user_id}", "C", owner_only(Actor.CUSTOMER)),
    Row(
        "POST",
        "/api/wishlists/{user_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        body=lambda world: {"productId": str(world.ids["product_id"])},
        shows="{product_id}",
    ),
    Row(
        "POST",
        "/api/wishlists/{user_id}/{product_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        shows="{product_id}",
        unknown={"product_id": 422},
        note="200: it is on the list already; an unknown product is 422, as in the body",
    ),
    Row(
        "DELETE",
        "/api/wishlists/{user_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        success=204,
        shows="",
    ),
    Row(
        "DELETE",
        "/api/wishlists/{user_id}/{product_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        success=204,
        shows="",
        unknown={"product_id": 204},
        note="taking off what is not on the list is safe to repeat",
    ),
)

_SHELF: Final = "/api/inventory/{variant_id}"
STOCK: Final = (
    Row(
        "GET",
        _SHELF,
        "P, the counters: S,A",
        readers(BLIND) | dict.fromkeys(_KEEPERS, SEES) | {Actor.PENDING: GONE},
        shows='"reserved":',
        note="a pending store's product is a draft, and its stock not displayed",
    ),
    Row("GET", _SHELF, "P, a draft's: S,A", _managed(), scene=_DRAFT, shows='"reserved":'),
    Row(
        "PUT",
        _SHELF,
        "S,A",
        merchants(),
        body=lambda _: {"reorderLevel": 3},
        shows='"reorderLevel":3',
        note="not in api.md: what sets the level of its low-stock list",
    ),
    Row(
        "POST",
        f"{_SHELF}/adjust",
        "S,A",
        merchants(),
        body=lambda world: {"delta": 5, "reason": world.secret},
        shows='"quantity":15',
    ),
    Row("GET", f"{_SHELF}/movements", "S,A", merchants()),
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

INTERNAL: Final = (
    Row("POST", "/internal/inventory/reserve", "I", services(), body=_reservation),
    Row(
        "POST",
        "/internal/inventory/release",
        "I",
        services(),
        body=lambda world: {"reservationId": world.prepared},
        prepare=_reserved,
        shows="RELEASED",
    ),
    Row(
        "POST",
        "/internal/inventory/confirm",
        "I",
        services(),
        body=lambda world: {"reservationId": world.prepared},
        prepare=_reserved,
        shows="COMMITTED",
    ),
    Row(
        "POST",
        "/internal/products/quote",
        "I",
        services(),
        body=lambda world: {"items": [_line(world)]},
    ),
    Row(
        "GET",
        "/internal/sellers/by-user/{user_id}",
        "I",
        services(),
        names={"user_id": "merchant_id"},
        note="not in api.md: whose store a token's user has, for the order service",
    ),
)

OPERATIONS: Final = tuple(
    Row("GET", path, "P", everybody(DONE))
    for path in ("/livez", "/readyz", "/healthz", "/metrics", "/openapi.json")
)

ROWS: Final = (
    *FINDING,
    *PRODUCTS,
    *FILES,
    *REVIEWS,
    *CATEGORIES,
    *STORES,
    *WISHLISTS,
    *STOCK,
    *INTERNAL,
    *OPERATIONS,
)

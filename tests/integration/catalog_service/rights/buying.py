"""The rows of the table about reviews, stores, wishlists, and what only services call."""

from typing import Final

from tests.integration.catalog_service.rights.asked import (
    CLOSED,
    DRAFT,
    EXISTS,
    NO_PURCHASE,
    PRODUCT,
    SPARE,
    UNREVIEWED,
    WAITING,
    hidden,
    line,
    managed,
    reservation,
    reserved,
    review,
)
from tests.integration.catalog_service.rights.callers import (
    PEOPLE,
    STRANGERS,
    Actor,
    administrators,
    collector,
    everybody,
    owner_only,
    readers,
    services,
)
from tests.integration.catalog_service.rights.rows import Row
from tests.rights.answers import BLIND, DONE, SEES, WRONG_ROLE, Refused

REVIEWS: Final = (
    Row("catalog", "GET", f"{PRODUCT}/reviews", "P", readers()),
    Row(
        "catalog",
        "GET",
        f"{PRODUCT}/reviews",
        "P",
        readers(BLIND) | {Actor.CUSTOMER: SEES},
        scene=WAITING,
        note="who wrote it sees what waits for a moderator",
    ),
    Row("catalog", "GET", f"{PRODUCT}/reviews", "P", hidden(), scene=DRAFT),
    Row(
        "catalog",
        "POST",
        f"{PRODUCT}/reviews",
        "C",
        owner_only(Actor.CUSTOMER)
        | dict.fromkeys(
            (Actor.OTHER_CUSTOMER, Actor.OTHER_SELLER, Actor.STORELESS, Actor.PENDING),
            NO_PURCHASE,
        )
        | {Actor.SUSPENDED: NO_PURCHASE, Actor.ADMIN: NO_PURCHASE}
        | {Actor.SELLER: Refused(403, "own_product")},
        success=201,
        body=review,
        scene=UNREVIEWED,
        note="a seller or an administrator is a customer, too; who did not buy may not",
    ),
    Row("catalog", "PUT", "/api/reviews/{review_id}", "C", owner_only(Actor.CUSTOMER), body=review),
    Row(
        "catalog",
        "DELETE",
        "/api/reviews/{review_id}",
        "C",
        owner_only(Actor.CUSTOMER, Actor.ADMIN),
        success=204,
        shows="",
        note="A too: what must not be kept, such as somebody's address, has to go for good",
    ),
    Row(
        "catalog", "GET", "/api/reviews", "A", administrators() | {Actor.ADMIN: DONE}, scene=WAITING
    ),
    Row(
        "catalog",
        "PATCH",
        "/api/reviews/{review_id}/status",
        "A",
        administrators(),
        body=lambda _: {"status": "APPROVED"},
        scene=WAITING,
    ),
)

CATEGORIES: Final = (
    Row("catalog", "GET", "/api/categories", "P", everybody(DONE)),
    Row("catalog", "GET", "/api/categories/slug/{slug}", "P", everybody(SEES)),
    Row(
        "catalog",
        "POST",
        "/api/categories",
        "A",
        administrators(),
        success=201,
        body=lambda world: {"name": f"New {world.secret}"},
    ),
    Row(
        "catalog",
        "PUT",
        "/api/categories/{category_id}",
        "A",
        administrators(),
        body=lambda world: {"name": f"Edited {world.secret}"},
        names=SPARE,
    ),
    Row(
        "catalog",
        "DELETE",
        "/api/categories/{category_id}",
        "A",
        administrators(),
        success=204,
        shows="",
        names=SPARE,
    ),
    Row(
        "catalog",
        "POST",
        "/api/categories/{category_id}/move",
        "A",
        administrators(),
        body=lambda world: {"parentId": str(world.ids["category_id"])},
        names=SPARE,
    ),
)

STORES: Final = (
    Row(
        "catalog",
        "POST",
        "/api/sellers",
        "C",
        STRANGERS
        | dict.fromkeys(PEOPLE, DONE)
        | {Actor.GUEST: WRONG_ROLE, Actor.SELLER: EXISTS, Actor.OTHER_SELLER: EXISTS}
        | {Actor.PENDING: EXISTS, Actor.SUSPENDED: EXISTS},
        success=201,
        body=lambda world: {"storeName": f"New {world.secret}"},
    ),
    Row("catalog", "GET", "/api/sellers", "A", administrators()),
    Row("catalog", "GET", "/api/sellers/{seller_id}", "P", readers()),
    Row(
        "catalog",
        "GET",
        "/api/sellers/{seller_id}",
        "P, not open: S,A",
        managed() | {Actor.PENDING: SEES},
        scene=CLOSED,
        note="an applicant is a customer still, and sees the own application",
    ),
    Row(
        "catalog",
        "PUT",
        "/api/sellers/{seller_id}",
        "S",
        owner_only(Actor.SELLER, Actor.PENDING, Actor.SUSPENDED),
        body=lambda world: {"storeName": f"Edited {world.secret}"},
        note="an applicant is a customer still, and may mend the own application",
    ),
    Row(
        "catalog",
        "PATCH",
        "/api/sellers/{seller_id}/status",
        "A",
        administrators(),
        body=lambda _: {"status": "SUSPENDED"},
    ),
)

WISHLISTS: Final = (
    Row("catalog", "GET", "/api/wishlists/{user_id}", "C", owner_only(Actor.CUSTOMER)),
    Row(
        "catalog",
        "POST",
        "/api/wishlists/{user_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        body=lambda world: {"productId": str(world.ids["product_id"])},
        shows="{product_id}",
    ),
    Row(
        "catalog",
        "POST",
        "/api/wishlists/{user_id}/{product_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        shows="{product_id}",
        note="200: it is on the list already",
    ),
    Row(
        "catalog",
        "DELETE",
        "/api/wishlists/{user_id}",
        "C",
        owner_only(Actor.CUSTOMER),
        success=204,
        shows="",
    ),
    Row(
        "catalog",
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

INTERNAL: Final = (
    Row("catalog", "POST", "/internal/inventory/reserve", "I", services(), body=reservation),
    Row(
        "catalog",
        "POST",
        "/internal/inventory/release",
        "I",
        services(),
        body=lambda world: {"reservationId": world.prepared},
        prepare=reserved,
        shows="RELEASED",
    ),
    Row(
        "catalog",
        "POST",
        "/internal/inventory/confirm",
        "I",
        services(),
        body=lambda world: {"reservationId": world.prepared},
        prepare=reserved,
        shows="COMMITTED",
    ),
    Row(
        "catalog",
        "POST",
        "/internal/products/quote",
        "I",
        services(),
        body=lambda world: {"items": [line(world)]},
    ),
    Row(
        "catalog",
        "GET",
        "/internal/sellers/by-user/{user_id}",
        "I",
        services(),
        names={"user_id": "merchant_id"},
        note="not in api.md: whose store a token's user has, for the order service",
    ),
)

HELD: Final = tuple(
    Row(
        "catalog",
        "GET",
        f"/internal/users/{{user_id}}/held/{kind}",
        "I",
        collector(),
        names={"user_id": owner},
        unknown={"user_id": 200},
        shows=shows,
        note="not in api.md: what the export of somebody's data is made of",
    )
    for kind, owner, shows in (
        ("reviews", "user_id", "{secret}"),
        ("wishlist", "user_id", "{product_id}"),
        ("stores", "merchant_id", "{secret}"),
    )
)

OPERATIONS: Final = tuple(
    Row("catalog", "GET", path, "P", everybody(DONE))
    for path in ("/livez", "/readyz", "/healthz", "/metrics", "/openapi.json")
)

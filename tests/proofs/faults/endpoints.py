"""The endpoints of the brief: each answers at another path, or another thing."""

from typing import Final

from tests.proofs.fault import Fault

_USERS: Final = "user_service/api/users.py"
_ADDRESSES: Final = "user_service/api/addresses.py"
_PRODUCTS: Final = "catalog_service/api/products.py"
_SEARCH: Final = "catalog_service/api/search.py"
_INTERNAL: Final = "catalog_service/api/internal.py"
_ORDERS: Final = "order_service/api/orders.py"
_CARTS: Final = "order_service/api/carts.py"

FAULTS: Final = (
    Fault((1, 141), _USERS, '@router.post("/api/users"', '@router.post("/api/people"'),
    Fault(
        (2,), _USERS, '@router.get("/api/users/{user_id}")', '@router.get("/api/people/{user_id}")'
    ),
    Fault(
        (3,), _USERS, '@router.put("/api/users/{user_id}")', '@router.put("/api/people/{user_id}")'
    ),
    Fault((4,), _ADDRESSES, '@router.post("", ', '@router.post("/new", '),
    Fault((5,), _ADDRESSES, '@router.get("")', '@router.get("/all")'),
    Fault((6, 142), _PRODUCTS, '@router.post("", ', '@router.post("/new", '),
    Fault(
        (7,),
        "catalog_service/api/product_page.py",
        "return packed_response(request, stored)",
        "raise NotFound",
    ),
    Fault((8,), _SEARCH, '@router.get("/search"', '@router.get("/find"'),
    Fault((9, 56), _INTERNAL, '"/internal/inventory/reserve"', '"/internal/inventory/hold"'),
    Fault((10,), _INTERNAL, '@router.post("/inventory/release"', '@router.post("/inventory/free"'),
    Fault(
        (11, 143),
        "order_service/services/drafting.py",
        "CREATED: Final = 201",
        "CREATED: Final = 200",
    ),
    Fault(
        (12,),
        _ORDERS,
        '@router.get("/api/orders/{order_id}"',
        '@router.get("/api/order/{order_id}"',
    ),
    Fault(
        (13,),
        _ORDERS,
        '@router.patch("/api/orders/{order_id}/status"',
        '@router.put("/api/orders/{order_id}/status"',
    ),
    Fault(
        (14,),
        _ORDERS,
        '@router.get("/api/orders/{order_id}/timeline"',
        '@router.get("/api/orders/{order_id}/history"',
    ),
    Fault((15,), _CARTS, '@router.post("", ', '@router.post("/new", '),
    Fault((16,), _CARTS, '@router.get("", ', '@router.get("/all", '),
    Fault((17,), _CARTS, '@router.delete("", ', '@router.delete("/all", '),
)

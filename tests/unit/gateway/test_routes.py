import string
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes import CATALOG, NOTIFICATION, ORDER, ROUTES, USER, match


@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        (b"/.well-known/jwks.json", USER),
        (b"/api/users", USER),
        (b"/api/users/0190f1d2-7f3a-7b7c-9d54-1c3b5a7e9f00/addresses", USER),
        (b"/api/auth/login", USER),
        (b"/api/products", CATALOG),
        (b"/api/products/search", CATALOG),
        (b"/api/products/import", CATALOG),
        (b"/api/products/import/1", CATALOG),
        (b"/api/products/slug/steel-bottle.v2", CATALOG),
        (b"/api/categories", CATALOG),
        (b"/api/sellers/x", CATALOG),
        (b"/api/sellers/x/orders", ORDER),
        (b"/api/sellers/x/orders/1", CATALOG),
        (b"/api/sellers/orders", CATALOG),
        (b"/api/reviews", CATALOG),
        (b"/api/wishlists/u/p", CATALOG),
        (b"/api/inventory/low-stock", CATALOG),
        (b"/api/imports/1", CATALOG),
        (b"/api/cart/u/items/v", ORDER),
        (b"/api/orders", ORDER),
        (b"/api/orders/1/timeline", ORDER),
        (b"/api/payments/1/capture", ORDER),
        (b"/api/webhooks/payments/stripe", ORDER),
        (b"/api/webhooks/shipping/bluedart", ORDER),
        (b"/api/shipments/1", ORDER),
        (b"/api/returns", ORDER),
        (b"/api/coupons/SAVE%2010/validate", ORDER),
        (b"/api/admin/audit", ORDER),
        (b"/api/admin/dlq/notification-queue/messages", NOTIFICATION),
        (b"/api/notifications/preferences/u", NOTIFICATION),
        (b"/api/webhooks/ses", NOTIFICATION),
        (b"/api/webhook-endpoints/1/deliveries", NOTIFICATION),
        (b"/unsubscribe", NOTIFICATION),
        (b"/api/products/%E0%A4%9A%E0%A4%BE%E0%A4%AF", CATALOG),
    ],
)
def test_a_public_path_leads_to_its_service(path: bytes, upstream: str) -> None:
    route = match(path)

    assert route is not None
    assert route.upstream == upstream


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"*",
        b"/internal/inventory/reserve",
        b"/%69nternal/inventory/reserve",
        b"/INTERNAL/x",
        b"//internal/x",
        b"//api/orders",
        b"/api//orders",
        b"/api/orders//1",
        b"/api/orders/",
        b"/api",
        b"/api/",
        b"/api/internal",
        b"/api/ordersx",
        b"/api/Orders",
        b"/api/%6frders",
        b"/api%2forders",
        b"/api/..%2finternal",
        b"/api/..%2Finternal",
        b"/api/orders/..",
        b"/api/orders/.",
        b"/api/orders/../../internal/x",
        b"/api/orders/%2e%2e/internal",
        b"/api/orders/%2E",
        b"/api/orders/.%2e/internal",
        b"/api/orders/..;/internal",
        b"/api/orders;x=1",
        b"/api/orders/1;x=1",
        b"/api/orders/%3bx",
        b"/api/orders\\..\\internal",
        b"/api/orders/%5cinternal",
        b"/api/orders/%252e%252e/internal",
        b"/api/orders/%00",
        b"/api/orders/%0d%0aX-A:b",
        b"/api/orders/%7f",
        b"/api/orders/%2",
        b"/api/orders/%zz",
        b"/api/orders/1 HTTP",
        b"/api/orders/\x00",
        b"/api/orders/\xc3\xa9",
        b"/api/orders/1\n",
        b"/api/orders#x",
        b"/api/orders/<x>",
        b"/metrics",
        b"/livez",
        b"/api/webhooks",
        b"/api/webhooks/other",
        b"/api/admin",
        b"/unsubscribe/x",
        b"/.well-known/jwks.json/x",
        b"/.well-known/openid-configuration",
        b"/_aws/ses",
    ],
)
def test_any_other_path_does_not_exist(path: bytes) -> None:
    assert match(path) is None


_PIECES = st.sampled_from(
    ["/", ".", "..", "%2e", "%2f", "%5c", ";", "\\", "internal", "api", "orders", "metrics", "x"]
)
_TEXT = st.text(alphabet=string.printable, max_size=12)


@given(st.lists(_PIECES | _TEXT, max_size=8).map("".join))
def test_what_is_routed_means_the_same_after_any_decoding(tail: str) -> None:
    path = f"/api/orders{tail}"
    route = match(path.encode())

    if route is not None:
        decoded = unquote(unquote(path))
        assert decoded.startswith(route.prefix)
        assert not any(sign in decoded for sign in ("//", "\\", ";", "\r", "\n", "\0"))
        assert not {".", ".."} & set(decoded.split("/"))


def test_no_prefix_reaches_what_is_internal_or_operational() -> None:
    forbidden = ("internal", "metrics", "livez", "readyz", "healthz", "openapi", "docs")

    assert not [route for route in ROUTES if any(word in route.prefix for word in forbidden)]


def test_files_are_taken_at_one_path_alone() -> None:
    paths = (b"/api/products/import", b"/api/products/import/", b"/api/products/import/1")
    others = (b"/api/products/importer", b"/api/products", b"/api/imports/1")

    taken = [path for path in (*paths, *others) if (r := match(path)) and r.file_type is not None]
    assert taken == [b"/api/products/import"]

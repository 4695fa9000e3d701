"""Which paths leave the gateway, and to whom: an allow-list matched against the raw path.

Nothing is decoded or normalised. A path that would mean something else after decoding (an encoded
slash, dot segments, `;` parameters, a backslash, a doubled slash) is not a path here: 404.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

USER: Final = "user"
CATALOG: Final = "catalog"
ORDER: Final = "order"
NOTIFICATION: Final = "notification"


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix and the upstream behind it."""

    prefix: str
    upstream: str
    # False: exactly this path; True: the path and everything below it.
    has_children: bool = True
    # Providers sign what they send and choose its media type; bursts of them are no abuse.
    is_webhook: bool = False
    # A file of this type is taken by POST, larger than other bodies and never held whole.
    file_type: bytes | None = None
    # What lies below it at another upstream: `{}` in its prefix stands for any one segment.
    nested: "Route | None" = None

    @property
    def path(self) -> str:
        """The label in metrics."""
        return self.prefix


ROUTES: Final = (
    Route("/.well-known/jwks.json", USER, has_children=False),
    Route("/api/users", USER),
    Route("/api/auth", USER),
    Route("/api/products/import", CATALOG, has_children=False, file_type=b"text/csv"),
    Route("/api/products", CATALOG),
    Route("/api/categories", CATALOG),
    Route("/api/sellers", CATALOG, nested=Route("/api/sellers/{}/orders", ORDER)),
    Route("/api/reviews", CATALOG),
    Route("/api/wishlists", CATALOG),
    Route("/api/inventory", CATALOG),
    Route("/api/imports", CATALOG),
    Route("/api/cart", ORDER),
    Route("/api/orders", ORDER),
    Route("/api/payments", ORDER),
    Route("/api/shipments", ORDER),
    Route("/api/returns", ORDER),
    Route("/api/coupons", ORDER),
    Route("/api/webhooks/payments", ORDER, is_webhook=True),
    Route("/api/webhooks/shipping", ORDER, is_webhook=True),
    Route("/api/admin/outbox", ORDER),
    Route("/api/admin/audit", ORDER),
    Route("/api/admin/orders", ORDER),
    Route("/api/admin/overview", ORDER),
    Route("/api/admin/dlq", NOTIFICATION),
    Route("/api/notifications", NOTIFICATION),
    Route("/api/webhook-endpoints", NOTIFICATION),
    Route("/api/webhooks/ses", NOTIFICATION, is_webhook=True),
    Route("/unsubscribe", NOTIFICATION, has_children=False),
)

# What the gateway itself has for browsers: no upstream is asked.
PAGES: Final = Route("/storefront", "")

# RFC 3986 segments without `;`; of the escapes not those for controls, `%`, `.`, `/`, `;`, `\`.
_SEGMENT: Final = (
    rb"(?!\.{1,2}(?:/|$))"
    rb"(?:[A-Za-z0-9\-._~!$&'()*+,=:@]"
    rb"|%(?!0|1|25|2[EeFf]|3[Bb]|5[Cc]|7[Ff])[0-9A-Fa-f]{2})+"
)
_BY_PREFIX: Final[Mapping[bytes, Route]] = {route.prefix.encode(): route for route in ROUTES}


def _alternatives(*, with_children: bool) -> bytes:
    prefixes = [route.prefix for route in ROUTES if route.has_children is with_children]
    return b"|".join(re.escape(prefix.encode()) for prefix in prefixes)


_PATH: Final = re.compile(
    rb"(?:(%s)|(%s)(?:/%s)*)"
    % (_alternatives(with_children=False), _alternatives(with_children=True), _SEGMENT)
)


_NESTED: Final = {
    route.prefix: re.compile(re.escape(route.nested.prefix.encode()).replace(rb"\{\}", _SEGMENT))
    for route in ROUTES
    if route.nested is not None
}


def match(raw_path: bytes) -> Route | None:
    """Return the route of a path as it came over the wire, or None where there is none."""
    found = _PATH.fullmatch(raw_path)
    if found is None:
        return None
    route = _BY_PREFIX[found[1] or found[2]]
    if route.nested is not None and _NESTED[route.prefix].fullmatch(raw_path):
        return route.nested
    return route

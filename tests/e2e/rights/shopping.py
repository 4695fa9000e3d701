"""The rows of the order and of the notification service."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from tests.e2e.rights.callers import (
    Actor,
    Answers,
    administrators,
    everybody,
    owner_only,
    owner_or_admin,
    people,
    services,
)
from tests.e2e.rights.rows import Row
from tests.e2e.rights.world import World, account, discounting, ordered, shopping, sold, unpaid
from tests.rights.answers import BLIND, DONE, GONE, SEES, WRONG_ROLE, Refused
from tests.shopper import ADDRESS, line

CART: Final = "/api/cart/{user_id}"
ORDER: Final = "/api/orders/{order_id}"
COUPON: Final = "/api/coupons/{coupon_id}"
NOT_YOURS: Final = Refused(403, "move_not_yours")
CAPTURED_NONE: Final = Refused(409, "refund_exceeds_captured")


def _line(world: World) -> Any:
    return line(world.given["variant_id"])


def _order(world: World) -> Any:
    return {"items": [_line(world)], "shippingAddress": ADDRESS, "paymentMethod": "COD"}


def _coupon(_: World) -> Any:
    now = datetime.now(UTC)
    return {
        "code": f"C{uuid4().hex[:12]}",
        "type": "PERCENTAGE",
        "percentBasisPoints": 1000,
        "validFrom": now.isoformat(),
        "validUntil": (now + timedelta(days=1)).isoformat(),
    }


def buyers(**named: Any) -> Answers:
    """C: whoever has an account, in the own name."""
    return people(DONE, **({"GUEST": WRONG_ROLE} | named))


def list_of_own(service: str, path: str, **more: Any) -> Row:
    """Return the row of a list in which everybody sees the own part, an administrator all."""
    answers = people(BLIND, OWNER=SEES, ADMIN=DONE)
    return Row(service, "GET", path, "C,A", answers, note="everybody the own ones", **more)


CARTS: Final = (
    Row("order", "GET", CART, "C", owner_only(), build=shopping, shows="{variant_id}"),
    Row(
        "order",
        "POST",
        CART,
        "C",
        owner_only(),
        body=_line,
        build=shopping,
        shows="{variant_id}",
    ),
    Row("order", "DELETE", CART, "C", owner_only(), success=204, build=shopping, shows=""),
    Row(
        "order",
        "PUT",
        CART + "/items/{variant_id}",
        "C",
        owner_only(),
        body=lambda _: {"quantity": 3},
        build=shopping,
        shows="{variant_id}",
        unknown={"variant_id": 422},
    ),
    Row(
        "order",
        "DELETE",
        CART + "/items/{variant_id}",
        "C",
        owner_only(),
        build=shopping,
        shows="{user_id}",
        unknown={"variant_id": 200},
        note="taking out what is not in the cart is safe to repeat",
    ),
    Row(
        "order",
        "POST",
        CART + "/merge",
        "C",
        owner_only(OWNER=Refused(422, "guest_token_invalid")),
        body=lambda _: {"guestToken": "made-up"},
        build=shopping,
        note="the right to the guest's cart is the guest's token",
    ),
)

ORDERS: Final = (
    Row(
        "order",
        "POST",
        "/api/orders",
        "C",
        buyers(DEMOTED=GONE),
        success=201,
        body=_order,
        build=shopping,
        is_keyed=True,
        note="who was demoted has no account here, so nobody to send a parcel to",
    ),
    list_of_own("order", "/api/orders", build=ordered),
    Row(
        "order",
        "GET",
        "/api/orders",
        "C,A",
        people(BLIND, OWNER=SEES, ADMIN=SEES),
        query="?userId={user_id}",
        build=ordered,
        note="a filter by somebody else's id is no way to see theirs",
    ),
    Row(
        "order",
        "GET",
        "/api/sellers/{seller_id}/orders",
        "S own, A",
        people(GONE, SELLER=SEES, ADMIN=SEES),
        build=sold,
        shows="{order_id}",
        unknown={"seller_id": 200},
        note="an administrator may ask for any store's: of one that is not there, there are none",
    ),
    Row("order", "GET", ORDER, "C,S,A", owner_or_admin(SELLER=SEES), build=ordered),
    Row(
        "order",
        "GET",
        f"{ORDER}/timeline",
        "C,S,A",
        owner_or_admin(SELLER=SEES),
        build=ordered,
        shows="CONFIRMED",
    ),
    Row(
        "order",
        "PATCH",
        f"{ORDER}/status",
        "S,A (C cancel)",
        owner_or_admin(OWNER=NOT_YOURS, SELLER=SEES),
        body=lambda _: {"status": "PROCESSING"},
        build=ordered,
    ),
    Row(
        "order",
        "POST",
        f"{ORDER}/cancel",
        "C,A",
        owner_or_admin(SELLER=NOT_YOURS),
        build=ordered,
        body=lambda _: {"reason": "changed my mind"},
    ),
)

PAYMENTS: Final = (
    Row(
        "order",
        "POST",
        f"{ORDER}/payments",
        "C,A",
        owner_or_admin(GUEST=WRONG_ROLE),
        success=201,
        body=lambda _: {"paymentMethod": "UPI"},
        build=unpaid,
        is_keyed=True,
        shows="{order_id}",
    ),
    Row(
        "order",
        "GET",
        f"{ORDER}/payments",
        "C,A",
        owner_or_admin(GUEST=WRONG_ROLE),
        build=unpaid,
        shows="{payment_id}",
    ),
    Row(
        "order",
        "POST",
        "/api/payments/{payment_id}/refunds",
        "A",
        administrators(ADMIN=CAPTURED_NONE),
        body=lambda _: {},
        build=unpaid,
        is_keyed=True,
    ),
    Row(
        "order",
        "POST",
        "/api/webhooks/payments/{provider}",
        "P signed",
        everybody(Refused(400, "invalid_signature")),
        body=lambda _: {"id": "evt_1"},
        build=shopping,
        is_strict=False,
    ),
)

COUPONS: Final = (
    Row(
        "order",
        "POST",
        "/api/coupons",
        "A",
        administrators(),
        success=201,
        body=_coupon,
        shows="",
    ),
    Row("order", "GET", "/api/coupons", "A", administrators(), shows=""),
    Row(
        "order",
        "GET",
        COUPON,
        "A",
        administrators(),
        build=discounting,
        shows="{coupon_id}",
    ),
    Row(
        "order",
        "PUT",
        COUPON,
        "A",
        administrators(),
        body=lambda world: world.given["coupon"],
        build=discounting,
        shows="{coupon_id}",
    ),
    Row(
        "order",
        "PATCH",
        COUPON,
        "A",
        administrators(),
        body=lambda _: {"isActive": False},
        build=discounting,
        shows="{coupon_id}",
        note="not in api.md: one term at a time",
    ),
    Row(
        "order",
        "DELETE",
        COUPON,
        "A",
        administrators(),
        success=204,
        build=discounting,
        shows="",
    ),
)

INTERNAL: Final = (
    Row(
        "order",
        "POST",
        "/internal/orders/abort",
        "I",
        services(Actor.CATALOG),
        body=lambda world: {
            "userId": world.ids["user_id"],
            "idempotencyKey": uuid4().hex,
            "reservationId": str(uuid4()),
        },
        shows="ABORTED",
    ),
    Row(
        "order",
        "POST",
        "/internal/carts/{user_id}/merge",
        "I",
        services(Actor.USER),
        success=204,
        body=lambda _: {"guestId": str(uuid4())},
        build=shopping,
        shows="",
        unknown={"user_id": 204},
    ),
    Row(
        "order",
        "GET",
        "/internal/users/{user_id}/held/orders",
        "I",
        services(Actor.USER),
        build=ordered,
        unknown={"user_id": 200},
        note="not in api.md: what the export of somebody's data is made of",
    ),
    Row(
        "order",
        "GET",
        "/internal/users/{user_id}/held/cart",
        "I",
        services(Actor.USER),
        build=shopping,
        shows="{variant_id}",
        unknown={"user_id": 200},
        note="not in api.md: what the export of somebody's data is made of",
    ),
)

NOTIFICATIONS: Final = (
    list_of_own("notification", "/api/notifications", shows="{email}"),
    Row(
        "notification",
        "GET",
        "/api/notifications",
        "C,A",
        owner_or_admin(),
        query="?userId={user_id}",
        shows="{email}",
        build=account,
    ),
    Row(
        "notification",
        "GET",
        "/internal/users/{user_id}/held/notifications",
        "I",
        services(Actor.USER),
        shows="{email}",
        build=account,
        unknown={"user_id": 200},
        note="not in api.md: what the export of somebody's data is made of",
    ),
)

ROWS: Final = (*CARTS, *ORDERS, *PAYMENTS, *COUPONS, *INTERNAL, *NOTIFICATIONS)

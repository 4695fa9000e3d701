"""The modules that hold pure rules, and the tests that must notice a fault in them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Target:
    """A module to put faults into, and the test files that judge it; paths from the root."""

    module: str
    tests: tuple[str, ...]


_MOVES: Final = "tests/unit/{}/test_moves.py"
_OF_PAYMENTS: Final = (
    _MOVES.format("order_service"),
    "tests/unit/order_service/test_payments.py",
)
_OF_STOCK: Final = (
    "tests/unit/catalog_service/test_admission.py",
    "tests/unit/catalog_service/test_stock.py",
)

TARGETS: Final = (
    Target(
        "common_lib/money.py",
        ("tests/unit/common_lib/test_money.py",),
    ),
    Target(
        "order_service/services/pricing.py",
        ("tests/unit/order_service/test_pricing.py",),
    ),
    Target(
        "order_service/models/consequences.py",
        ("tests/unit/order_service/test_consequences.py",),
    ),
    Target("order_service/models/orders.py", (_MOVES.format("order_service"),)),
    Target("order_service/models/payments.py", _OF_PAYMENTS),
    Target("order_service/models/returns.py", _OF_PAYMENTS),
    Target("catalog_service/models/inventory.py", _OF_STOCK),
    Target("catalog_service/models/reservations.py", _OF_STOCK),
    Target("catalog_service/models/products.py", (_MOVES.format("catalog_service"),)),
    Target("catalog_service/models/sellers.py", (_MOVES.format("catalog_service"),)),
    Target("catalog_service/models/reviews.py", ("tests/unit/catalog_service/test_reviews.py",)),
    Target(
        "user_service/models/users.py",
        ("tests/unit/user_service/test_accounts.py", "tests/unit/user_service/test_rules.py"),
    ),
    Target("gateway/limits.py", ("tests/unit/gateway/test_limits.py",)),
)

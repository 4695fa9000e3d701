"""Which tests of the shop itself the edge answers in its own, stricter way."""

import os

import pytest

# A body with NaN or NUL: 422 by the shop, 400 and 403 by the firewall, which cannot judge it
# (tests/integration/edge/test_firewall.py). Whatever is added here must be bad input.
REFUSED_EARLIER = (b"NaN", b"\\u0000")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("SHOP_TEST_ENTRANCE") != "edge":
        return
    stricter = [item for item in items if _is_refused_earlier(item)]
    config.hook.pytest_deselected(items=stricter)
    items[:] = [item for item in items if item not in stricter]


def _is_refused_earlier(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    body = callspec.params.get("body") if callspec else None
    return isinstance(body, bytes) and any(part in body for part in REFUSED_EARLIER)

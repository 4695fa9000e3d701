"""Public reads answered before the framework, where this process has the bytes at hand."""

from typing import Any, Final

from catalog_service.api.categories import TREE
from catalog_service.api.deps import Deps
from catalog_service.api.product_page import product_route
from common_lib.runtime.hot_reads import HotRead


def _page(state: Any, product_id: str) -> bytes | None:
    deps: Deps = state.deps
    return deps.announcements.products.at_hand(product_id)


def _stock(state: Any, variant_id: str) -> bytes | None:
    deps: Deps = state.deps
    return deps.announcements.stock.at_hand(variant_id)


def _tree(state: Any, name: str) -> bytes | None:
    deps: Deps = state.deps
    return deps.announcements.categories.at_hand(TREE) if name == "categories" else None


HOT_READS: Final = (
    HotRead("/api/products", product_route.path, _page),
    # Those who keep the shelf are shown its counters.
    HotRead("/api/inventory", "/api/inventory/{variant_id:uuid}", _stock, is_for_strangers=True),
    HotRead("/api", "/api/categories", _tree),
)

"""What is kept for a while, for how long, and when it is dropped."""

from typing import Final

from tests.proofs.fault import Fault

_SETTINGS: Final = "catalog_service/settings.py"
_ANNOUNCEMENTS: Final = "catalog_service/services/announcements.py"

FAULTS: Final = (
    Fault(
        (107,),
        _SETTINGS,
        "product_cache_ttl_s: WholeSeconds = 15",
        "product_cache_ttl_s: WholeSeconds = 150",
    ),
    Fault(
        (108,),
        _SETTINGS,
        "category_cache_ttl_s: WholeSeconds = 60",
        "category_cache_ttl_s: WholeSeconds = 600",
    ),
    Fault(
        (111,),
        _SETTINGS,
        "stock_cache_ttl_s: WholeSeconds = 30",
        "stock_cache_ttl_s: WholeSeconds = 300",
    ),
    Fault(
        (112,),
        _SETTINGS,
        "search_cache_ttl_s: WholeSeconds = 5",
        "search_cache_ttl_s: WholeSeconds = 50",
    ),
    Fault((107,), _ANNOUNCEMENTS, "await self.products.drop(", "self.products.at_hand("),
    Fault((111,), _ANNOUNCEMENTS, "await self.stock.drop(*keys)", "return"),
    Fault(
        (108,),
        "catalog_service/api/categories.py",
        "    await deps.announcements.categories.drop(TREE)\n    return json_response(",
        "    return json_response(",
    ),
    Fault(
        (112,),
        "catalog_service/api/search.py",
        "await deps.announcements.searches.get(_key(text, narrowed, page), load)",
        "await load()",
    ),
    Fault(
        (108,),
        "common_lib/cache.py",
        'self._forget(message["data"].decode().split("\\n"))',
        "self._forget([])",
    ),
)

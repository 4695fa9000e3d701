"""Stock, its locks, and search."""

from typing import Final

from tests.proofs.fault import Fault

FAULTS: Final = (
    Fault(
        (71,), "catalog_service/main.py", "lock:inventory:{variant_id}", "lock:stock:{variant_id}"
    ),
    Fault((71,), "common_lib/locks.py", "return redis.call('del', KEYS[1])", "return 1"),
    Fault(
        (68,),
        "catalog_service/queries/search.py",
        "MATCH (words) AGAINST (%(expression)s IN BOOLEAN MODE)",
        "(words LIKE %(expression)s)",
    ),
)

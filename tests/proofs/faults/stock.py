"""The catalog: stock and its locks, versions, categories, reviews, search and pictures."""

from typing import Final

from tests.proofs.fault import Fault

_LOCKS: Final = "common_lib/locks.py"
_RULES: Final = "catalog_service/services/products/rules.py"
_REVIEWS: Final = "catalog_service/services/reviews.py"

FAULTS: Final = (
    Fault((55, 162), _LOCKS, "nx=True, px=self._ttl_ms", "px=self._ttl_ms"),
    Fault(
        (72,),
        "catalog_service/services/batcher.py",
        "            self._wait_s = 0.0\n",
        '            raise Unavailable("another holds the lock")\n',
    ),
    Fault((114,), _LOCKS, "if redis.call('get', KEYS[1]) == ARGV[1] then", "if true then"),
    Fault((69, 115), _RULES, "self.version != current:", "self.version > current:"),
    Fault(
        (73,),
        "catalog_service/migrations/versions/0001_the_catalog.py",
        'sa.CheckConstraint("parent_id <> id"',
        'sa.CheckConstraint("parent_id <> parent_id OR id = id"',
    ),
    Fault(
        (73,),
        "catalog_service/services/categories.py",
        "    hierarchy.check_place(category.id, parent_id)\n",
        "",
    ),
    Fault(
        (74,),
        _REVIEWS,
        "_new_review(principal.user_id, product_id, body)",
        "_new_review(new_id(), product_id, body)",
    ),
    Fault((75,), _REVIEWS, "status=ReviewStatus.PENDING,", "status=ReviewStatus.APPROVED,"),
    Fault(
        (152,),
        "catalog_service/services/search/searching.py",
        "            FALLBACKS.inc()\n",
        "            raise\n",
    ),
    Fault((153,), "catalog_service/clients/storage.py", "Body=picture.data,", 'Body=b"",'),
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
    Fault(
        (68,),
        "catalog_service/queries/search.py",
        'return " AND ".join([_MATCH, *(condition.sql for condition in self.conditions)])',
        "return _MATCH",
    ),
)

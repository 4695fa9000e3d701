"""The eighteen business tables, their enumerations and versions."""

from typing import Final

from common_lib.clock import now
from order_service.models.partitions import partition_clause
from tests.proofs.fault import AnyFault, Fault, SchemaFault

_ORDERS: Final = "order_service/migrations/versions/0001_orders.py"
_TABLES: Final = (
    (26, "user", "users"),
    (27, "user", "addresses"),
    (28, "catalog", "sellers"),
    (29, "catalog", "categories"),
    (30, "catalog", "products"),
    (31, "catalog", "product_variants"),
    (32, "catalog", "product_images"),
    (33, "catalog", "inventory"),
    (34, "catalog", "reviews"),
    (35, "catalog", "wishlists"),
    (36, "order", "coupons"),
    (37, "order", "orders"),
    (38, "order", "order_items"),
    (39, "order", "order_status_history"),
    (40, "order", "payments"),
    (41, "order", "shipments"),
    (42, "order", "returns_refunds"),
    (43, "notification", "notification_logs"),
)


def _without(item: int, service: str, table: str) -> SchemaFault:
    away = f"{table}_away"
    return SchemaFault(
        (item,), service, f"RENAME TABLE {table} TO {away}", f"RENAME TABLE {away} TO {table}"
    )


def _redefined(item: int, service: str, column: str, breaking: str, mending: str) -> SchemaFault:
    table, _, name = column.partition(".")
    change = f"ALTER TABLE {table} MODIFY {name} "
    return SchemaFault((item,), service, change + breaking, change + mending)


FAULTS: Final[tuple[AnyFault, ...]] = (
    *(_without(*row) for row in _TABLES),
    _redefined(
        65,
        "user",
        "users.role",
        "ENUM('CUSTOMER','SELLER','ADMIN','GUEST') NOT NULL",
        "ENUM('CUSTOMER','SELLER','ADMIN') NOT NULL",
    ),
    _redefined(
        79,
        "order",
        "payments.method",
        "ENUM('UPI','CARD','NET_BANKING','COD') NOT NULL",
        "ENUM('UPI','CARD','NET_BANKING','COD','WALLET') NOT NULL",
    ),
    SchemaFault(
        (70,),
        "catalog",
        "ALTER TABLE inventory RENAME COLUMN version TO version_away",
        "ALTER TABLE inventory RENAME COLUMN version_away TO version",
    ),
    SchemaFault(
        (150,),
        "order",
        "ALTER TABLE orders REMOVE PARTITIONING",
        f"ALTER TABLE orders {partition_clause(now())}",
    ),
    # These are looked at in databases that the tests themselves migrate.
    Fault((84,), _ORDERS, "op.execute(ORDERS + partition_clause(now()))", "op.execute(ORDERS)"),
    Fault((164,), _ORDERS, "    INDEX ix_orders_status_id (status, id),\n", ""),
    Fault(
        (164,),
        "catalog_service/migrations/versions/0005_former_slugs.py",
        '    op.create_index("ix_former_slugs_target_id", "former_slugs", ["target_id"])\n',
        "",
    ),
)

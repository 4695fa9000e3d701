"""The four databases: eighteen business tables, the technical ones beside them, their rules."""

from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa

from common_lib.clock import now
from common_lib.database import COLLATION, Database
from shop.stack.native import NativeStack
from tests.schemas import BUSINESS, TECHNICAL

ENUMERATIONS = {
    ("user", "users", "role"): "CUSTOMER SELLER ADMIN",
    ("user", "users", "status"): "ACTIVE SUSPENDED DELETED",
    ("catalog", "sellers", "status"): "PENDING ACTIVE SUSPENDED",
    ("catalog", "products", "status"): "DRAFT ACTIVE ARCHIVED",
    ("catalog", "reviews", "status"): "PENDING APPROVED REJECTED",
    (
        "order",
        "orders",
        "status",
    ): "PENDING CONFIRMED PROCESSING SHIPPED DELIVERED CANCELLED REFUNDED",
    ("order", "payments", "status"): "PENDING SUCCESS FAILED REFUNDED",
    ("order", "payments", "method"): "UPI CARD NET_BANKING COD WALLET",
    (
        "order",
        "shipments",
        "status",
    ): "PREPARING PICKED_UP IN_TRANSIT OUT_FOR_DELIVERY DELIVERED FAILED",
    ("order", "returns_refunds", "type"): "RETURN REFUND EXCHANGE",
    (
        "order",
        "returns_refunds",
        "status",
    ): "REQUESTED APPROVED PICKED_UP RECEIVED REFUNDED REJECTED",
    ("order", "coupons", "type"): "PERCENTAGE FIXED",
    ("notification", "notification_logs", "status"): "PENDING SENT FAILED DLQ",
}


@pytest.fixture
async def open_service(
    parts: NativeStack, open_database: Callable[[str], Database]
) -> Callable[[str], Database]:
    return lambda service: open_database(parts.database_url(service))


async def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async with database.read() as session:
        return [tuple(row) for row in (await session.execute(sa.text(query))).all()]


@pytest.mark.parametrize("service", BUSINESS)
async def test_the_tables_are_those_of_the_two_lists(
    open_service: Callable[[str], Database], service: str
) -> None:
    found = await rows(
        open_service(service),
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'",
    )

    assert {str(row[0]) for row in found} == BUSINESS[service] | TECHNICAL[service]


def test_there_are_eighteen_business_tables() -> None:
    assert sum(len(tables) for tables in BUSINESS.values()) == 18


@pytest.mark.parametrize(("place", "values"), ENUMERATIONS.items())
async def test_a_status_is_one_of_its_enumeration(
    open_service: Callable[[str], Database], place: tuple[str, str, str], values: str
) -> None:
    service, table, column = place
    found = await rows(
        open_service(service),
        "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE()"  # noqa: S608
        f" AND table_name = '{table}' AND column_name = '{column}'",
    )

    members = str(found[0][0]).removeprefix("enum(").removesuffix(")").replace("'", "").split(",")
    assert members == values.split()


@pytest.mark.parametrize("service", BUSINESS)
async def test_every_table_is_innodb_with_the_shops_collation(
    open_service: Callable[[str], Database], service: str
) -> None:
    odd = await rows(
        open_service(service),
        "SELECT table_name, engine, table_collation FROM information_schema.tables"  # noqa: S608
        " WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'"
        f" AND (engine <> 'InnoDB' OR table_collation <> '{COLLATION}')",
    )

    assert odd == []


async def test_orders_have_a_partition_for_this_month_and_the_next_three(
    open_service: Callable[[str], Database],
) -> None:
    found = await rows(
        open_service("order"),
        "SELECT partition_description FROM information_schema.partitions"
        " WHERE table_schema = DATABASE() AND table_name = 'orders'"
        " ORDER BY partition_ordinal_position",
    )
    bounds = [str(row[0]).strip("'") for row in found]

    assert bounds[-1] == "MAXVALUE"
    latest = datetime.fromisoformat(bounds[-2])
    today = now()
    months_ahead = (latest.year - today.year) * 12 + latest.month - today.month
    assert months_ahead >= 4


async def test_the_versions_behind_optimistic_locking_exist(
    open_service: Callable[[str], Database],
) -> None:
    found = await rows(
        open_service("catalog"),
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND column_name = 'version'",
    )

    assert {"products", "inventory"} <= {str(row[0]) for row in found}


async def test_stock_cannot_go_below_zero_even_by_hand(
    open_service: Callable[[str], Database],
) -> None:
    found = await rows(
        open_service("catalog"),
        "SELECT constraint_name FROM information_schema.table_constraints"
        " WHERE table_schema = DATABASE() AND table_name = 'inventory'"
        " AND constraint_type = 'CHECK'",
    )

    assert "ck_inventory_reserved_range" in {str(row[0]) for row in found}

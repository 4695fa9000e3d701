"""Each breach of an invariant, planted in real databases, is named by `shop audit`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common_lib.database import Database
from shop.audit import Audit
from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from tests.conftest import settings_for
from tests.databases import migrated
from tests.integration.shop.planting import clear, plant

AMOUNTS: dict[str, Any] = {
    "subtotal_minor": 1000,
    "discount_minor": 0,
    "tax_minor": 0,
    "is_tax_included": 1,
    "shipping_minor": 0,
    "total_minor": 1000,
    "currency": "INR",
}


TABLES = {
    "user": ("outbox",),
    "catalog": ("outbox", "reservations", "inventory"),
    "order": (
        *("orders", "idempotency_keys", "payments", "order_status_history", "coupons", "outbox"),
    ),
    "notification": ("notification_logs",),
}


@pytest.fixture(scope="module")
async def databases(parts: NativeStack) -> AsyncIterator[Mapping[str, Database]]:
    """Four databases of our own, for all tests here: to make them takes seconds."""
    async with AsyncExitStack() as made:
        opened = {}
        for service in SERVICES:
            name = f"scratch_audit_{service}"
            url = await made.enter_async_context(migrated(parts, service, name))
            opened[service] = Database(settings_for(parts, service, url))
            made.push_async_callback(opened[service].close)
        yield opened


@pytest.fixture
async def audit(parts: NativeStack, databases: Mapping[str, Database]) -> AsyncIterator[Audit]:
    yield Audit(databases, settings_for(parts, "order", parts.database_url("order")))
    for service, tables in TABLES.items():
        await clear(databases[service], *tables)


async def broken(audit: Audit) -> dict[str, tuple[str, ...]]:
    return {f.sentence: f.offenders for f in await audit.findings() if not f.is_kept}


async def order(audit: Audit, **values: Any) -> UUID:
    """Plant an order that breaks nothing but what the test is about."""
    database = audit.databases["order"]
    row = await plant(database, "orders", **{**AMOUNTS, **values})
    await plant(
        database,
        "idempotency_keys",
        scope="order",
        state="PLACED",
        subject_id=row["id"],
    )
    return UUID(bytes=row["id"])


def ago(**span: float) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(**span)


async def test_empty_databases_break_nothing(audit: Audit) -> None:
    queues = "queues and dead letter queues are empty"  # the session's own, others use them
    assert set(await broken(audit)) <= {queues}


@pytest.mark.parametrize("status", ["CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"])
async def test_an_order_that_was_given_back_in_full_and_goes_on_is_named(
    audit: Audit, status: str
) -> None:
    order_id = await order(audit, status=status, payment_method="UPI")
    await plant(
        audit.databases["order"],
        "payments",
        order_id=order_id.bytes,
        status="REFUNDED",
        amount_minor=1000,
        captured_minor=1000,
        refunded_minor=1000,
    )
    found = await broken(audit)
    assert found["an order that was given back in full is over"] == (str(order_id),)


@pytest.mark.parametrize("status", ["CANCELLED", "REFUNDED"])
async def test_an_order_that_was_given_back_in_full_and_ended_is_not(
    audit: Audit, status: str
) -> None:
    order_id = await order(audit, status=status, payment_method="UPI")
    await plant(
        audit.databases["order"],
        "payments",
        order_id=order_id.bytes,
        status="REFUNDED",
        amount_minor=1000,
        captured_minor=1000,
        refunded_minor=1000,
    )
    assert "an order that was given back in full is over" not in await broken(audit)


async def test_a_payment_whose_status_does_not_fit_its_amounts_is_named(audit: Audit) -> None:
    planted = await plant(
        audit.databases["order"],
        "payments",
        status="REFUNDED",
        amount_minor=1000,
        captured_minor=1000,
        refunded_minor=400,
    )
    found = await broken(audit)
    sentence = "a payment counts as given back when all of it was"
    assert found[sentence] == (str(UUID(bytes=planted["id"])),)


async def test_stock_that_is_held_without_an_order_is_named_after_a_minute(audit: Audit) -> None:
    catalog, sentence = audit.databases["catalog"], "no stock is held for more than 60 s without"
    later = ago(seconds=-600)
    old = await plant(
        catalog, "reservations", status="HELD", created_at=ago(seconds=70), expires_at=later
    )
    await plant(catalog, "reservations", status="HELD", created_at=ago(seconds=5), expires_at=later)
    served = uuid4().bytes
    await order(audit, status="PENDING", reservation_id=served)
    await plant(
        catalog,
        "reservations",
        id=served,
        status="HELD",
        created_at=ago(seconds=70),
        expires_at=later,
    )
    found = await broken(audit)
    assert found[f"{sentence} an order"] == (str(UUID(bytes=old["id"])),)
    assert "no reservation is held past its time" not in found


async def test_a_reservation_held_past_its_time_is_named(audit: Audit) -> None:
    planted = await plant(
        audit.databases["catalog"], "reservations", status="HELD", expires_at=ago(seconds=61)
    )
    found = await broken(audit)
    assert found["no reservation is held past its time"] == (str(UUID(bytes=planted["id"])),)


async def test_an_order_whose_mail_and_event_were_lost_is_named(audit: Audit) -> None:
    """As a LocalStack leaves it that died with its queues: published, never heard of again."""
    reservation = uuid4().bytes
    order_id = await order(audit, status="PENDING", reservation_id=reservation)
    await plant(
        audit.databases["order"],
        "outbox",
        event_type="ORDER_CREATED",
        aggregate_key=str(order_id),
        published_at=ago(seconds=70),
    )
    await plant(audit.databases["catalog"], "reservations", id=reservation, status="HELD")
    found = await broken(audit)
    assert found["every order has its confirmation mail"] == (str(order_id),)
    [unfit] = found["every order has one reservation that fits its status"]
    assert unfit == f"{order_id} is PENDING, its reservation HELD"
    assert "every order's creation was published" not in found


async def test_an_order_whose_creation_was_never_published_is_named(audit: Audit) -> None:
    order_id = await order(audit, status="PENDING")
    await plant(
        audit.databases["order"],
        "outbox",
        event_type="ORDER_CREATED",
        aggregate_key=str(order_id),
        published_at=None,
    )
    found = await broken(audit)
    assert found["every order's creation was published"] == (str(order_id),)


async def test_two_orders_of_one_key_are_named(audit: Audit) -> None:
    same = {"user_id": uuid4().bytes, "idempotency_key": "once"}
    ids = [await order(audit, status="PENDING", **same) for _ in range(2)]
    [named] = (await broken(audit))["a key has one order at most"]
    assert UUID(named) in ids


async def test_a_step_that_does_not_begin_where_the_last_one_ended_is_named(audit: Audit) -> None:
    order_id = await order(audit, status="SHIPPED")
    steps = [(None, "PENDING"), ("CONFIRMED", "SHIPPED")]
    for version, (before, after) in enumerate(steps, start=1):
        await plant(
            audit.databases["order"],
            "order_status_history",
            order_id=order_id.bytes,
            order_version=version,
            from_status=before,
            to_status=after,
        )
    found = await broken(audit)
    assert found["each step of a history begins where the one before it ended"] == (str(order_id),)
    assert "histories follow the state graph" not in found


async def test_a_customer_who_was_told_out_of_stock_while_units_were_free_is_named(
    audit: Audit,
) -> None:
    catalog = audit.databases["catalog"]
    wrong = await plant(
        catalog, "outbox", event_type="OUT_OF_STOCK", body=b'{"data": {"available": 3}}'
    )
    await plant(catalog, "outbox", event_type="OUT_OF_STOCK", body=b'{"data": {"available": 0}}')
    found = await broken(audit)
    sentence = "nobody was told OUT_OF_STOCK while units were free"
    assert found[sentence] == (str(UUID(bytes=wrong["id"])),)


async def test_stock_that_is_taken_by_nobody_is_named(audit: Audit) -> None:
    planted = await plant(audit.databases["catalog"], "inventory", quantity=5, reserved=2)
    named = (str(UUID(bytes=planted["variant_id"])),)
    found = await broken(audit)
    assert found["reserved is the sum of what live reservations hold"] == named
    assert found["the ledger adds up to the stock"] == named
    assert found["initial + restocked = available + held + committed + consumed"] == named


async def test_a_coupon_that_counted_wrong_is_named(audit: Audit) -> None:
    planted = await plant(
        audit.databases["order"],
        "coupons",
        used_count=1,
        usage_limit=5,
        type="FIXED",
        amount_minor=100,
        valid_until=ago(seconds=-60),
    )
    found = await broken(audit)
    sentence = "a coupon's count is its redemptions and within its limit"
    assert found[sentence] == (str(UUID(bytes=planted["id"])),)


async def test_money_that_is_not_where_it_is_due_is_named(audit: Audit) -> None:
    order_id = await order(audit, status="CONFIRMED", payment_method="UPI")
    found = await broken(audit)
    assert found["captures less refunds are what is due"] == (str(order_id),)


async def test_a_mail_that_was_sent_twice_is_named(audit: Audit) -> None:
    order_id = uuid4()
    for _ in range(2):
        await plant(
            audit.databases["notification"],
            "notification_logs",
            order_id=order_id.bytes,
            event_type="ORDER_CREATED",
            status="SENT",
            sent_at=ago(seconds=1),
        )
    assert (await broken(audit))["no order got the same mail twice"] == (str(order_id),)


async def test_an_event_that_waits_is_named(audit: Audit) -> None:
    for service in ("user", "catalog", "order"):
        await plant(audit.databases[service], "outbox", published_at=None)
    found = await broken(audit)
    assert {
        "the catalog's outbox is empty",
        "the user service's outbox is empty",
        "the order service's outbox is empty",
    } <= set(found)

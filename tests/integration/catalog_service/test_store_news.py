"""What owners of stores and authors of reviews are told, in the transaction that decides it."""

from typing import Any
from uuid import UUID

import orjson
import pytest
import sqlalchemy as sa

from catalog_service.models import SellerStatus
from common_lib.events import Envelope, event_from
from common_lib.events.catalog import (
    ReviewRejected,
    StoreEvent,
    StoreOrderEvent,
)
from common_lib.events.orders import OrderCancelled, OrderConfirmed, OrderEvent, OrderLine
from common_lib.ids import new_id
from common_lib.money import Money
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.order_events import deliver
from tests.integration.catalog_service.reviewers import decide as moderate
from tests.integration.catalog_service.reviewers import new_product, written
from tests.integration.catalog_service.test_sellers import decide

NEWS = "STORE_"


async def news(catalog: Catalog, key: UUID, kind: str = NEWS) -> list[Any]:
    """Return what was told about an aggregate by events of a kind, oldest first."""
    rows = await catalog.rows(
        sa.text("SELECT body FROM outbox WHERE aggregate_key = :key ORDER BY id"), key=str(key)
    )
    envelopes = [Envelope.model_validate(orjson.loads(row[0])) for row in rows]
    return [event_from(one) for one in envelopes if one.event_type.startswith(kind)]


S = SellerStatus


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (S.PENDING, S.ACTIVE, "STORE_APPROVED"),
        (S.PENDING, S.SUSPENDED, "STORE_REJECTED"),
        (S.ACTIVE, S.SUSPENDED, "STORE_SUSPENDED"),
        (S.SUSPENDED, S.ACTIVE, "STORE_REINSTATED"),
    ],
)
async def test_an_owner_is_told_once_what_was_decided(
    catalog: Catalog, before: SellerStatus, after: SellerStatus, told: str
) -> None:
    store_id, owner = await catalog.seller(before)

    for _ in range(2):
        assert (await decide(catalog, store_id, after)).status_code == 200

    (event,) = await news(catalog, store_id)
    assert isinstance(event, StoreEvent)
    assert (event.event_type, event.user_id, event.store_name) == (told, owner, "Store")


async def test_a_decision_that_is_refused_tells_nobody(catalog: Catalog) -> None:
    store_id, _ = await catalog.seller(S.ACTIVE)

    assert (await decide(catalog, store_id, S.PENDING)).status_code == 409

    assert await news(catalog, store_id) == []


@pytest.mark.parametrize("status", ["APPROVED", "REJECTED"])
async def test_an_author_is_told_once_what_became_of_the_review(
    catalog: Catalog, status: str
) -> None:
    review = await written(catalog, await new_product(catalog))

    for _ in range(2):
        await moderate(catalog, review, status)

    (event,) = await news(catalog, UUID(review), "REVIEW_")
    assert event.event_type == f"REVIEW_{status}"
    assert event.product_name
    assert not isinstance(event, ReviewRejected) or isinstance(event.note, str)


def a_line(seller_id: UUID | None, price: int, quantity: int = 1) -> OrderLine:
    return OrderLine(
        order_item_id=new_id(),
        variant_id=new_id(),
        product_id=new_id(),
        seller_id=seller_id,
        sku="K-1",
        name="Kettle",
        quantity=quantity,
        unit_price=Money(amount=price),
        line_total=Money(amount=price * quantity),
    )


async def heard(
    catalog: Catalog, kind: type[OrderEvent], reservation_id: UUID, *lines: OrderLine
) -> Envelope:
    facts = {
        "order_id": new_id(),
        "order_number": "ORD-1",
        "user_id": new_id(),
        "email": "buyer@example.com",
        "full_name": "A Buyer",
        "reservation_id": reservation_id,
        "total": Money(amount=553_233),
        "lines": lines,
    }
    own = {"reason": "changed my mind"} if kind is OrderCancelled else {}
    envelope = Envelope.wrap(kind.model_validate(facts | own), source="order-service")
    await deliver(catalog, envelope)
    return envelope


@pytest.mark.parametrize(
    ("kind", "told"),
    [(OrderConfirmed, "STORE_ORDER_RECEIVED"), (OrderCancelled, "STORE_ORDER_CANCELLED")],
)
async def test_each_store_is_told_of_its_own_part_of_an_order_once(
    catalog: Catalog, kind: type[OrderEvent], told: str
) -> None:
    store_id, owner = await catalog.seller()
    other_id, _ = await catalog.seller()
    command = await catalog.reserve((await catalog.variant(5), 2))
    own = a_line(store_id, 3_333, 2)
    lines = (own, a_line(other_id, 549_900), a_line(None, 100))

    envelope = await heard(catalog, kind, command.reservation_id, *lines)
    await deliver(catalog, envelope)

    (event,) = await news(catalog, store_id)
    (others,) = await news(catalog, other_id)
    assert isinstance(event, StoreOrderEvent)
    assert (event.event_type, event.user_id, event.lines) == (told, owner, (own,))
    assert event.total == Money(amount=6_666)
    assert [line.line_total.amount for line in others.lines] == [549_900]
    told_of_buyer = event.model_dump_json()
    assert "buyer@example.com" not in told_of_buyer
    assert "A Buyer" not in told_of_buyer
    assert "553233" not in told_of_buyer


async def test_an_order_that_was_cancelled_first_is_not_to_be_sent(catalog: Catalog) -> None:
    store_id, _ = await catalog.seller()
    command = await catalog.reserve((await catalog.variant(5), 1))

    await heard(catalog, OrderCancelled, command.reservation_id)
    await heard(catalog, OrderConfirmed, command.reservation_id, a_line(store_id, 100))

    assert await news(catalog, store_id) == []


async def test_an_order_event_from_before_lines_were_told_tells_nobody(catalog: Catalog) -> None:
    store_id, _ = await catalog.seller()
    variant = await catalog.variant(5)
    command = await catalog.reserve((variant, 1))

    await heard(catalog, OrderConfirmed, command.reservation_id)

    assert await catalog.status(command.reservation_id) == "CONSUMED"
    assert await news(catalog, store_id) == []

"""What is written when an order is placed, and how it looks to its buyer."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from common_lib.ids import created_at
from order_service.models.records import OrderDetail
from order_service.queries.placing import Decision
from order_service.schemas.enums import OrderStatus, PaymentMethod, PaymentPhase, PaymentStatus
from order_service.schemas.orders import OrderView
from order_service.schemas.payments import PaymentView
from order_service.services.drafting import Terms, draft, reservation_id_of
from order_service.services.pricing import price
from order_service.services.shapes import order_document, payment_document
from tests.unit.order_service.examples import (
    a_coupon,
    a_fixed_coupon,
    a_line,
    a_reservation,
    a_tariff,
    a_wish,
)

TERMS = Terms(provider="sandbox", unpaid_ttl=timedelta(minutes=30))
USER = UUID("01890000-0000-7000-8000-000000000001")
OTHER = UUID("01890000-0000-7000-8000-000000000002")


def drafted(slot: int | None = 1, **changes: Any) -> Decision:
    wish = a_wish(**changes)
    reservation = a_reservation(wish, a_line(20_000, 2), a_line(5_000))
    totals = price(reservation.lines, a_tariff(), wish.coupon)
    return draft(wish, reservation, totals, TERMS, slot)


def event_types(decision: Decision) -> list[str]:
    return [event.event_type for event in decision.events]


def test_an_order_waits_for_its_payment() -> None:
    decision = drafted()

    assert decision.order.status is OrderStatus.PENDING
    assert decision.history == [(None, OrderStatus.PENDING)]
    assert event_types(decision) == ["ORDER_CREATED"]
    assert decision.due_at is not None
    assert (decision.payment.status, decision.payment.phase) == (
        PaymentStatus.PENDING,
        PaymentPhase.INITIATED,
    )
    assert decision.payment.next_action_at is None


def test_a_token_makes_the_payment_due_at_once() -> None:
    decision = drafted(payment_token="tok_success")

    assert decision.payment.next_action_at is not None
    assert decision.payment_token == "tok_success"


def test_cash_on_delivery_is_confirmed_at_once() -> None:
    decision = drafted(slot=None, payment_method=PaymentMethod.COD)

    assert decision.order.status is OrderStatus.CONFIRMED
    assert decision.history[-1] == (OrderStatus.PENDING, OrderStatus.CONFIRMED)
    assert decision.order.version == len(decision.history)
    assert event_types(decision) == ["ORDER_CREATED", "ORDER_CONFIRMED"]
    assert decision.payment.provider == "cash"
    assert decision.due_at is None


def test_an_order_for_nothing_is_paid_already() -> None:
    decision = drafted(coupon=a_fixed_coupon(10**9), payment_token="tok_success")

    assert decision.order.status is OrderStatus.CONFIRMED
    assert decision.payment.status is PaymentStatus.SUCCESS
    assert decision.payment_token is None


def test_the_order_takes_its_moment_from_its_id() -> None:
    decision = drafted()

    assert decision.order.created_at == created_at(decision.order.id)


def test_the_stored_answer_is_the_order_of_the_api() -> None:
    decision = drafted(coupon=a_coupon())

    stored = orjson.loads(decision.response_body)
    again = order_document(
        OrderDetail(decision.order, tuple(decision.items), decision.payment, decision.due_at)
    )

    assert stored == again
    assert OrderView.model_validate_json(decision.response_body).total.amount == 40_500
    assert set(stored) == {field.alias or name for name, field in OrderView.model_fields.items()}


def test_a_payment_looks_as_the_api_says() -> None:
    body = orjson.dumps(payment_document(drafted().payment, is_payable=True))

    view = PaymentView.model_validate_json(body)

    assert view.next_action is not None
    assert view.next_action.href.endswith("/payments")


def test_the_answer_never_holds_the_payment_token() -> None:
    decision = drafted(payment_token="tok_of_a_card")

    assert b"tok_of_a_card" not in decision.response_body
    assert all("tok_of_a_card" not in event.model_dump_json() for event in decision.events)


@pytest.mark.parametrize(
    ("user_id", "key"), [(OTHER, "key-1"), (USER, "key-2"), (USER, "key-1 "), (USER, "KEY-1")]
)
def test_another_user_or_key_is_another_reservation(user_id: UUID, key: str) -> None:
    assert reservation_id_of(user_id, key) != reservation_id_of(USER, "key-1")


def test_a_retry_reserves_under_the_same_id() -> None:
    reservation_id = reservation_id_of(USER, "key-1")

    assert reservation_id == reservation_id_of(USER, "key-1")
    assert reservation_id.version == 8
    assert reservation_id.variant == "specified in RFC 4122"

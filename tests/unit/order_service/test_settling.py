"""One function takes in what is learned about a payment, from wherever it comes."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest

from common_lib.clock import now
from common_lib.database import WriteSession
from order_service.clients.payments import ProviderReply, ProviderStatus
from order_service.models import Order, Payment, ReturnRefund, StatusChange
from order_service.schemas.enums import OrderStatus, PaymentPhase, PaymentStatus
from order_service.services.promises import Locked
from order_service.services.settling import RECONCILE_AFTER, learn
from tests.unit.order_service.examples import a_payment, an_order, inr


class Nothing:
    """What a database without rows answers."""

    def all(self) -> list[Any]:
        return []

    def one_or_none(self) -> None:
        return None


@dataclass
class Recorder:
    """A session that keeps what it is given and asks no database."""

    added: list[Any] = field(default_factory=list)
    executed: list[Any] = field(default_factory=list)

    def add(self, row: Any) -> None:
        self.added.append(row)

    async def scalar(self, statement: Any) -> None:
        del statement

    async def scalars(self, statement: Any) -> "Nothing":
        del statement
        return Nothing()

    async def execute(self, statement: Any, rows: Any = None) -> None:
        self.executed.append((str(statement), rows))

    @property
    def events(self) -> list[str]:
        rows = [row for _, batch in self.executed if batch for row in batch]
        return [orjson.loads(row["body"])["eventType"] for row in rows]

    def session(self) -> WriteSession:
        return cast("WriteSession", self)


def says(status: ProviderStatus, amount: int = 50_000, **more: Any) -> ProviderReply:
    return ProviderReply(status, "pay_1", inr(amount), **more)


async def after(
    order: Order, payment: Payment, *replies: ProviderReply | None, others: tuple[Payment, ...] = ()
) -> Recorder:
    recorder = Recorder()
    for reply in replies:
        locked = Locked(order, [*others, payment], payment)
        await learn(recorder.session(), locked, reply)
    return recorder


SUCCESS = says(ProviderStatus.SUCCEEDED)
FAILURE = says(ProviderStatus.FAILED, failure_code="card_declined")
PROCESSING = says(ProviderStatus.PROCESSING)


async def test_success_pays_and_confirms() -> None:
    order = an_order()
    payment = a_payment(order)

    recorder = await after(order, payment, SUCCESS)

    assert (payment.status, order.status) == (PaymentStatus.SUCCESS, OrderStatus.CONFIRMED)
    assert recorder.events == ["PAYMENT_SUCCESS", "ORDER_CONFIRMED"]
    assert any(isinstance(row, StatusChange) for row in recorder.added)


async def test_failure_leaves_the_order_payable() -> None:
    order = an_order()
    payment = a_payment(order)

    recorder = await after(order, payment, FAILURE)

    assert (payment.status, order.status) == (PaymentStatus.FAILED, OrderStatus.PENDING)
    assert recorder.events == ["PAYMENT_FAILED"]


@pytest.mark.parametrize(
    "replies",
    [
        (SUCCESS, SUCCESS),
        (FAILURE, SUCCESS),
        (SUCCESS, FAILURE),
        (PROCESSING, SUCCESS, PROCESSING),
        (None, SUCCESS, None),
        (SUCCESS, says(ProviderStatus.SUCCEEDED, 1)),
    ],
)
async def test_whatever_the_order_of_the_news_a_success_stays(
    replies: tuple[ProviderReply | None, ...],
) -> None:
    order = an_order()
    payment = a_payment(order)

    recorder = await after(order, payment, *replies)

    assert (payment.status, payment.captured_minor) == (PaymentStatus.SUCCESS, 50_000)
    assert recorder.events.count("PAYMENT_SUCCESS") == 1
    assert recorder.events.count("ORDER_CONFIRMED") == 1
    assert payment.next_action_at is None


async def test_a_repeated_failure_is_told_once() -> None:
    order = an_order()

    recorder = await after(order, a_payment(order), FAILURE, FAILURE)

    assert recorder.events == ["PAYMENT_FAILED"]


async def test_no_answer_is_unknown_and_looked_at_again_ever_later() -> None:
    order = an_order()
    payment = a_payment(order)
    pauses: list[timedelta] = []

    for _ in RECONCILE_AFTER:
        before = now()
        await after(order, payment, None)
        assert payment.next_action_at is not None
        pauses.append(payment.next_action_at - before)
    await after(order, payment, None)

    assert (payment.status, payment.phase) == (PaymentStatus.PENDING, PaymentPhase.UNKNOWN)
    seconds = [round(pause.total_seconds()) for pause in pauses]
    assert seconds == [30, 120, 600, 3600, 86_400]
    assert payment.next_action_at is None, "after a day a person looks"


async def test_a_payment_under_way_keeps_the_providers_id() -> None:
    order = an_order()
    payment = a_payment(order)

    recorder = await after(order, payment, PROCESSING)

    assert (payment.phase, payment.provider_payment_id) == (PaymentPhase.PROCESSING, "pay_1")
    assert recorder.events == []


async def test_another_amount_is_nobodys_success() -> None:
    order = an_order()
    payment = a_payment(order)

    recorder = await after(order, payment, says(ProviderStatus.SUCCEEDED, 49_999))

    assert (payment.status, payment.phase) == (PaymentStatus.PENDING, PaymentPhase.UNKNOWN)
    assert recorder.events == []


@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REFUNDED])
async def test_a_capture_for_an_order_that_is_over_is_given_back(status: OrderStatus) -> None:
    order = an_order(status)
    payment = a_payment(order)

    recorder = await after(order, payment, SUCCESS)

    (refund,) = [row for row in recorder.added if isinstance(row, ReturnRefund)]
    assert refund.amount == inr(50_000)
    assert payment.refundable == inr(0)
    assert recorder.events == ["REFUND_INITIATED"]
    assert order.status is status


async def test_the_second_capture_of_a_paid_order_is_given_back() -> None:
    order = an_order(OrderStatus.CONFIRMED)
    first = a_payment(order, status=PaymentStatus.SUCCESS, captured_minor=50_000)
    second = a_payment(order, attempt=2)

    recorder = await after(order, second, SUCCESS, others=(first,))

    assert recorder.events == ["REFUND_INITIATED"]
    assert first.refundable == inr(50_000)
    assert second.refundable == inr(0)


async def test_a_success_closes_attempts_that_were_never_sent() -> None:
    order = an_order()
    idle = a_payment(order, phase=PaymentPhase.INITIATED, provider_token=None)
    paid = a_payment(order, attempt=2)

    await after(order, paid, SUCCESS, others=(idle,))

    assert (idle.status, idle.failure_code) == (PaymentStatus.FAILED, "superseded")

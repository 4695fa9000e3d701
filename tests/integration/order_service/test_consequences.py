"""Money and state are tied: every cell of the one table, walked on a real database."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import pytest

from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.clients.payments import ProviderReply, ProviderStatus
from order_service.models import IllegalTransition, Order, Payment, RefundExceedsCaptured
from order_service.models.base import UnpaidOrder
from order_service.models.consequences import Trigger
from order_service.queries import orders as orders_sql
from order_service.schemas.enums import OrderStatus, PaymentMethod, PaymentPhase, PaymentStatus
from order_service.services.following import Happening, follow
from order_service.services.promises import Locked
from order_service.services.settling import give_back, learn
from shop.audit import RULES
from tests.integration.order_service.conftest import OpenShop
from tests.integration.order_service.placing.test_coupons import new_coupon
from tests.problems import code_of
from tests.shopper import Shopper, at_once, line

T, S = Trigger, OrderStatus
TOTAL: Final = 70_000
WAY: Final = {
    S.PENDING: (),
    S.CONFIRMED: (),
    S.PROCESSING: ("PROCESSING",),
    S.SHIPPED: ("SHIPPED",),
    S.DELIVERED: ("SHIPPED", "DELIVERED"),
    S.CANCELLED: ("CANCELLED",),
    S.REFUNDED: ("SHIPPED", "REFUNDED"),
}


@dataclass(frozen=True)
class After:
    """What is there afterwards; `told` are the new events, in their order."""

    status: OrderStatus
    told: tuple[str, ...] = ()
    promised_back: int = 0
    is_coupon_back: bool = False
    parcel: str | None = None


def ended(*told: str, promised_back: int = 0) -> After:
    return After(S.CANCELLED, (*told, "ORDER_CANCELLED"), promised_back, is_coupon_back=True)


LATE: Final = ("REFUND_INITIATED",)
PAID_ENDED: Final = ended("REFUND_INITIATED", promised_back=TOTAL)
# What is right, written down apart from the table it is held against. Missing is refused.
RIGHT: Final[dict[Trigger, dict[OrderStatus, After]]] = {
    T.CONFIRM: {S.PENDING: After(S.CONFIRMED, ("PAYMENT_SUCCESS", "ORDER_CONFIRMED"))},
    T.PROCESS: {S.CONFIRMED: After(S.PROCESSING)},
    T.SHIP: {
        S.CONFIRMED: After(S.SHIPPED, ("ORDER_SHIPPED",), parcel="IN_TRANSIT"),
        S.PROCESSING: After(S.SHIPPED, ("ORDER_SHIPPED",), parcel="IN_TRANSIT"),
    },
    T.DELIVER: {S.SHIPPED: After(S.DELIVERED, ("ORDER_DELIVERED",), parcel="DELIVERED")},
    T.CANCEL: {
        S.PENDING: ended(),
        S.CONFIRMED: PAID_ENDED,
        S.PROCESSING: PAID_ENDED,
        S.CANCELLED: After(S.CANCELLED),
    },
    T.REFUND: {
        S.SHIPPED: After(S.REFUNDED, LATE, TOTAL, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.REFUNDED, LATE, TOTAL, parcel="DELIVERED"),
    },
    T.EXPIRE: {
        S.PENDING: ended(),
        S.CONFIRMED: After(S.CONFIRMED),
        S.PROCESSING: After(S.PROCESSING),
        S.SHIPPED: After(S.SHIPPED, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.DELIVERED, parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED),
        S.REFUNDED: After(S.REFUNDED, parcel="IN_TRANSIT"),
    },
    T.CASH_CHOSEN: {S.PENDING: After(S.CONFIRMED, ("ORDER_CONFIRMED",))},
    T.PAID: {
        S.PENDING: After(S.CONFIRMED, ("PAYMENT_SUCCESS", "ORDER_CONFIRMED")),
        S.CONFIRMED: After(S.CONFIRMED, ("PAYMENT_SUCCESS",)),
        S.PROCESSING: After(S.PROCESSING, ("PAYMENT_SUCCESS",)),
        S.SHIPPED: After(S.SHIPPED, ("PAYMENT_SUCCESS",), parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.DELIVERED, ("PAYMENT_SUCCESS",), parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED, LATE, TOTAL),
        S.REFUNDED: After(S.REFUNDED, LATE, TOTAL, parcel="IN_TRANSIT"),
    },
    T.PAID_TWICE: {
        S.PENDING: After(S.PENDING, LATE, TOTAL),
        S.CONFIRMED: After(S.CONFIRMED, LATE, TOTAL),
        S.PROCESSING: After(S.PROCESSING, LATE, TOTAL),
        S.SHIPPED: After(S.SHIPPED, LATE, TOTAL, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.DELIVERED, LATE, TOTAL, parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED, LATE, TOTAL),
        S.REFUNDED: After(S.REFUNDED, LATE, TOTAL, parcel="IN_TRANSIT"),
    },
    T.PAYMENT_FAILED: {
        S.PENDING: After(S.PENDING, ("PAYMENT_FAILED",)),
        S.CONFIRMED: After(S.CONFIRMED),
        S.PROCESSING: After(S.PROCESSING),
        S.SHIPPED: After(S.SHIPPED, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.DELIVERED, parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED),
        S.REFUNDED: After(S.REFUNDED, parcel="IN_TRANSIT"),
    },
    T.REFUNDED_IN_PART: {
        S.PENDING: After(S.PENDING, LATE, 100),
        S.CONFIRMED: After(S.CONFIRMED, LATE, 100),
        S.PROCESSING: After(S.PROCESSING, LATE, 100),
        S.SHIPPED: After(S.SHIPPED, LATE, 100, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.DELIVERED, LATE, 100, parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED, LATE, 100),
        S.REFUNDED: After(S.REFUNDED, LATE, 100, parcel="IN_TRANSIT"),
    },
    T.REFUNDED_IN_FULL: {
        S.PENDING: PAID_ENDED,
        S.CONFIRMED: PAID_ENDED,
        S.PROCESSING: PAID_ENDED,
        S.SHIPPED: After(S.REFUNDED, LATE, TOTAL, parcel="IN_TRANSIT"),
        S.DELIVERED: After(S.REFUNDED, LATE, TOTAL, parcel="DELIVERED"),
        S.CANCELLED: After(S.CANCELLED, LATE, TOTAL),
        S.REFUNDED: After(S.REFUNDED, LATE, TOTAL, parcel="IN_TRANSIT"),
    },
}
MONEY: Final = (T.PAID_TWICE, T.REFUNDED_IN_PART, T.REFUNDED_IN_FULL)


@pytest.fixture(autouse=True)
async def nothing_left_behind(shop: OpenShop) -> AsyncIterator[None]:
    """No worker is to hand out what these tests promise back: the provider knows nothing of it."""
    yield
    async with shop.database.connection() as connection:
        await connection.exec_driver_sql("UPDATE returns_refunds SET next_action_at = NULL")
        await connection.commit()


@pytest.mark.parametrize("trigger", Trigger)
async def test_whatever_happens_to_an_order_has_the_consequences_of_the_table(
    shop: OpenShop, trigger: Trigger
) -> None:
    for status in OrderStatus:
        order_id, code = await brought_to(shop, status)
        await arrange(shop, trigger, status, order_id)
        before = await seen(shop, order_id, code)
        right = RIGHT[trigger].get(status)

        if right is None:
            with pytest.raises((IllegalTransition, RefundExceedsCaptured)):
                await happen(shop, trigger, order_id)
            assert await seen(shop, order_id, code) == before, (trigger, status)
            continue
        await happen(shop, trigger, order_id)

        after = await seen(shop, order_id, code)
        assert after.status == right.status, (trigger, status)
        assert after.told == (*before.told, *right.told), (trigger, status)
        assert after.promised_back - before.promised_back == right.promised_back, (trigger, status)
        uses = 0 if right.is_coupon_back else before.coupon_uses
        assert after.coupon_uses == uses, (trigger, status)
        assert after.parcel == right.parcel, (trigger, status)
        is_open = right.status is S.PENDING
        assert after.slots == int(is_open), (trigger, status)
        assert after.steps - before.steps == int(right.status is not status), (trigger, status)


@dataclass(frozen=True)
class Seen:
    status: str
    told: tuple[str, ...]
    promised_back: int
    coupon_uses: int
    slots: int
    parcel: str | None
    steps: int


async def brought_to(shop: OpenShop, status: OrderStatus) -> tuple[str, str]:
    """Return an order of 700.00, paid unless PENDING or CANCELLED, and the coupon it used."""
    shopper, admin, code = shop.somebody(), shop.somebody(Role.ADMIN), await new_coupon(shop)
    variant = shop.sell(price=80_000)
    placed = await shopper.place([line(variant)], couponCode=code, paymentMethod="UPI")
    assert placed.status_code == 201, placed.text
    order_id: str = placed.json()["id"]
    if status not in (S.PENDING, S.CANCELLED):
        assert (await shopper.pay(order_id)).json()["status"] == "SUCCESS"
    for step in WAY[status]:
        answer = await move(admin, order_id, step)
        assert answer.status_code == 200, answer.text
    return order_id, code


async def arrange(shop: OpenShop, trigger: Trigger, status: OrderStatus, order_id: str) -> None:
    """Lay the money and the slot ready that the trigger is about."""
    if trigger is T.PAID:
        # Not FAILED: the provider's own message of its success may yet come, and would count.
        await write(
            shop,
            "UPDATE payments SET status = 'REFUNDED', captured_minor = 0, refunded_minor = 0"
            " WHERE order_id = %s",
            order_id,
        )
    if trigger in MONEY and status in (S.PENDING, S.CANCELLED, S.REFUNDED):
        await add_payment(shop, order_id, captured=TOTAL)
    if trigger is T.EXPIRE and status is not S.PENDING:
        await add_slot(shop, order_id)


async def happen(shop: OpenShop, trigger: Trigger, order_id: str) -> None:
    async def work(session: WriteSession) -> None:
        order = await orders_sql.lock_order(session, UUID(order_id))
        assert order is not None
        payments = list(await orders_sql.lock_payments(session, order.id))
        await _happen(session, trigger, order, payments)

    await shop.database.transact(work)


async def _happen(
    session: WriteSession, trigger: Trigger, order: Order, payments: list[Payment]
) -> None:
    if trigger in (T.PAID, T.PAID_TWICE, T.PAYMENT_FAILED):
        payment = a_payment(order, len(payments) + 1)
        session.add(payment)
        await session.flush()
        failed = trigger is T.PAYMENT_FAILED
        verdict = ProviderStatus.FAILED if failed else ProviderStatus.SUCCEEDED
        reply = ProviderReply(verdict, f"pay_{payment.id}", payment.amount)
        await learn(session, Locked(order, [*payments, payment], payment), reply)
    elif trigger in (T.REFUNDED_IN_PART, T.REFUNDED_IN_FULL):
        payment = next(p for p in payments if p.refundable.amount)
        amount = Money(amount=100) if trigger is T.REFUNDED_IN_PART else payment.refundable
        await give_back(session, Locked(order, payments, payment), amount, "scratched")
    else:
        happening = Happening(trigger, order, payments, by=uuid4(), reason="why")
        await follow(session, happening)


def a_payment(order: Order, attempt: int, *, captured: int = 0) -> Payment:
    moment = now()
    return Payment(
        id=new_id(),
        order_id=order.id,
        attempt=attempt,
        method=PaymentMethod.UPI,
        status=PaymentStatus.SUCCESS if captured else PaymentStatus.PENDING,
        phase=PaymentPhase.SETTLED if captured else PaymentPhase.PROCESSING,
        provider="sandbox",
        currency="INR",
        amount_minor=TOTAL,
        captured_minor=captured,
        refunded_minor=0,
        checks=0,
        created_at=moment,
        updated_at=moment,
    )


async def add_payment(shop: OpenShop, order_id: str, *, captured: int) -> None:
    async def work(session: WriteSession) -> None:
        order = await orders_sql.lock_order(session, UUID(order_id))
        assert order is not None
        session.add(a_payment(order, 9, captured=captured))

    await shop.database.transact(work)


async def add_slot(shop: OpenShop, order_id: str) -> None:
    async def work(session: WriteSession) -> None:
        row = UnpaidOrder(
            user_id=new_id(), slot=1, order_id=UUID(order_id), due_at=now() + timedelta(hours=1)
        )
        session.add(row)

    await shop.database.transact(work)


async def write(shop: OpenShop, sql: str, order_id: str) -> None:
    async with shop.database.connection() as connection:
        await connection.exec_driver_sql(sql, (UUID(order_id).bytes,))
        await connection.commit()


async def seen(shop: OpenShop, order_id: str, code: str) -> Seen:
    async def column(sql: str) -> Sequence[Any]:
        return [value for (value,) in await shop.rows(sql, id=UUID(order_id).bytes)]

    parcels = await column("SELECT status FROM shipments WHERE order_id = :id")
    return Seen(
        status=(await column("SELECT status FROM orders WHERE id = :id"))[0],
        told=tuple(await shop.events_of(order_id)),
        promised_back=int(
            (
                await column(
                    "SELECT COALESCE(SUM(amount_minor), 0) FROM returns_refunds"
                    " WHERE order_id = :id"
                )
            )[0]
        ),
        coupon_uses=await shop.one("SELECT used_count FROM coupons WHERE code = :code", code=code),
        slots=(await column("SELECT COUNT(*) FROM unpaid_orders WHERE order_id = :id"))[0],
        parcel=parcels[0] if parcels else None,
        steps=(await column("SELECT COUNT(*) FROM order_status_history WHERE order_id = :id"))[0],
    )


async def move(who: Shopper, order_id: str, status: str) -> httpx2.Response:
    return await who.request("PATCH", f"/api/orders/{order_id}/status", json={"status": status})


async def refund(admin: Shopper, order_id: str, amount: int | None = None) -> httpx2.Response:
    listed = (await admin.request("GET", f"/api/orders/{order_id}/payments")).json()["items"]
    money = {"amount": {"amount": amount, "currency": "INR"}} if amount is not None else {}
    return await admin.request(
        "POST",
        f"/api/payments/{listed[-1]['id']}/refunds",
        headers={"Idempotency-Key": uuid4().hex},
        json=money,
    )


async def test_a_full_refund_before_shipping_ends_the_order_and_it_is_not_shipped(
    shop: OpenShop,
) -> None:
    admin = shop.somebody(Role.ADMIN)
    order_id, code = await brought_to(shop, S.CONFIRMED)

    answer = await refund(admin, order_id)
    shipped = await move(admin, order_id, "SHIPPED")
    again = await refund(admin, order_id)

    assert answer.status_code == 201, answer.text
    assert (shipped.status_code, code_of(shipped)) == (409, "illegal_transition")
    assert shipped.json()["allowed"] == []
    assert (again.status_code, code_of(again)) == (409, "refund_exceeds_captured")
    after = await seen(shop, order_id, code)
    assert (after.status, after.coupon_uses, after.promised_back) == ("CANCELLED", 0, TOTAL)
    assert after.told.count("ORDER_CANCELLED") == 1


async def test_the_last_of_several_refunds_in_part_ends_the_order(shop: OpenShop) -> None:
    admin = shop.somebody(Role.ADMIN)
    order_id, code = await brought_to(shop, S.PROCESSING)

    await refund(admin, order_id, TOTAL - 1)
    between = await seen(shop, order_id, code)
    await refund(admin, order_id, 1)

    assert (between.status, between.coupon_uses) == ("PROCESSING", 1)
    after = await seen(shop, order_id, code)
    assert (after.status, after.coupon_uses) == ("CANCELLED", 0)


@pytest.mark.parametrize("status", [S.SHIPPED, S.DELIVERED])
async def test_a_full_refund_after_shipping_makes_the_order_refunded(
    shop: OpenShop, status: OrderStatus
) -> None:
    admin = shop.somebody(Role.ADMIN)
    order_id, code = await brought_to(shop, status)

    await refund(admin, order_id)
    await shop.cases.provider_calls.work_off()

    after = await seen(shop, order_id, code)
    assert (after.status, after.coupon_uses) == ("REFUNDED", 1)
    assert after.told[-2:] == ("REFUND_INITIATED", "REFUND_COMPLETED")
    assert "ORDER_CANCELLED" not in after.told


async def test_cash_that_was_not_collected_is_not_given_back(shop: OpenShop) -> None:
    shopper, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order = (await shopper.place([line(shop.sell())])).json()

    early = await refund(admin, order["id"])
    await move(admin, order["id"], "SHIPPED")
    under_way = await refund(admin, order["id"])
    by_status = await move(admin, order["id"], "REFUNDED")
    await move(admin, order["id"], "DELIVERED")
    collected = await refund(admin, order["id"])

    for refused in (early, under_way, by_status):
        assert (refused.status_code, code_of(refused)) == (409, "refund_exceeds_captured")
    assert collected.status_code == 201, collected.text
    assert (await shopper.order(order["id"]))["status"] == "REFUNDED"


async def test_of_a_refund_and_a_parcel_at_once_exactly_one_wins(shop: OpenShop) -> None:
    admin = shop.somebody(Role.ADMIN)
    for _ in range(6):
        order_id, code = await brought_to(shop, S.CONFIRMED)

        given, sent = await at_once(refund(admin, order_id), move(admin, order_id, "SHIPPED"))

        after = await seen(shop, order_id, code)
        if after.parcel is None:
            assert (given.status_code, sent.status_code) == (201, 409)
            assert (after.status, after.coupon_uses) == ("CANCELLED", 0)
        else:
            # Sent first: the refund then is one of goods that have left.
            assert (given.status_code, sent.status_code) == (201, 200)
            assert (after.status, after.coupon_uses) == ("REFUNDED", 1)
        assert after.promised_back == TOTAL
        is_shipped, is_ended = "ORDER_SHIPPED" in after.told, "ORDER_CANCELLED" in after.told
        assert is_shipped != is_ended


async def test_a_refund_promised_before_promises_ended_orders_ends_its_order_when_made(
    shop: OpenShop,
) -> None:
    admin = shop.somebody(Role.ADMIN)
    order_id, code = await brought_to(shop, S.CONFIRMED)
    await refund(admin, order_id)
    await write(shop, "UPDATE orders SET status = 'CONFIRMED' WHERE id = %s", order_id)

    await shop.cases.provider_calls.work_off()

    assert (await seen(shop, order_id, code)).status == "CANCELLED"


async def test_the_audit_names_an_order_that_lives_on_though_all_was_given_back(
    shop: OpenShop,
) -> None:
    (rule,) = [rule for rule in RULES if rule.sentence == "captures less refunds are what is due"]
    kept_in_part, _ = await brought_to(shop, S.CONFIRMED)
    lives_on, _ = await brought_to(shop, S.CONFIRMED)
    for order_id, kept in ((kept_in_part, 1), (lives_on, 0)):
        await write(
            shop,
            f"UPDATE payments SET refunded_minor = captured_minor - {kept}"  # noqa: S608 - a number
            " WHERE captured_minor > 0 AND order_id = %s",
            order_id,
        )

    broken = {str(UUID(bytes=bytes(row[0]))) for row in await shop.rows(rule.query)}

    assert broken & {kept_in_part, lives_on} == {lives_on}

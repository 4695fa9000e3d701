"""Bodies of requests: what is taken, what is refused, what makes two of them the same."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from common_lib.idempotency import IdempotencyKeyReused, KeyState, fingerprint
from order_service.models.records import Line
from order_service.queries.placing import StoredOutcome
from order_service.schemas.coupons import NewCoupon
from order_service.schemas.orders import OrderItemIn, PlaceOrder
from order_service.services.attempts import merged, replay
from order_service.services.carts import QuantityTooLarge
from order_service.services.placing import ROUTE
from tests.unit.order_service.examples import ADDRESS

USER = uuid4()
VARIANT = "01890000-0000-7000-8000-00000000000a"


def body(**changes: Any) -> dict[str, Any]:
    items = [{"variantId": VARIANT, "quantity": 1}]
    return {"items": items, "shippingAddress": ADDRESS, "paymentMethod": "UPI"} | changes


def print_of(**changes: Any) -> bytes:
    return fingerprint(USER, ROUTE, PlaceOrder.model_validate(body(**changes)).canonical())


def test_the_key_is_not_part_of_what_is_asked_for() -> None:
    assert print_of(idempotencyKey="a") == print_of(idempotency_key="b") == print_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"notes": "x"},
        {"paymentMethod": "CARD"},
        {"items": [{"variantId": VARIANT, "quantity": 2}]},
        {"expectedTotal": {"amount": 1, "currency": "INR"}},
        {"shippingAddress": ADDRESS | {"city": "Pune"}},
    ],
)
def test_another_wish_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert print_of(**changes) != print_of()


def test_an_absent_member_and_null_are_the_same_wish() -> None:
    assert print_of(notes=None, couponCode=None) == print_of()


def test_the_order_of_members_does_not_matter() -> None:
    turned = dict(reversed(body().items()))

    assert fingerprint(USER, ROUTE, PlaceOrder.model_validate(turned).canonical()) == print_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"unit_price": 5},
        {"payment_method": "UPI"},
        {"addressId": VARIANT},
        {"shippingAddress": None},
        {"paymentMethod": "COD", "paymentToken": "tok_success"},
        {"paymentToken": "tok\nbreak"},
        {"couponCode": "no spaces"},
        {"couponCode": "x" * 33},
        {"notes": "a\u0001b"},
        {"shippingAddress": ADDRESS | {"city": ""}},
        {"shippingAddress": ADDRESS | {"country": "Atlantis"}},
        {"items": [{"variantId": VARIANT, "quantity": 0}]},
        {"items": [{"variantId": VARIANT, "quantity": 2**31}]},
        {"items": [{"variantId": VARIANT, "quantity": 1.0}]},
    ],
)
def test_a_body_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlaceOrder.model_validate(body(**changes))


def test_a_coupon_code_is_read_in_capitals() -> None:
    assert PlaceOrder.model_validate(body(couponCode=" save10 ")).coupon_code == "SAVE10"


def items(*pairs: tuple[UUID, int]) -> list[OrderItemIn]:
    return [
        OrderItemIn.model_validate({"variantId": str(variant), "quantity": quantity})
        for variant, quantity in pairs
    ]


def test_duplicate_variants_are_merged_in_the_order_they_came() -> None:
    first, second = uuid4(), uuid4()

    lines = merged(items((first, 1), (second, 2), (first, 3)), 1000)

    assert lines == [Line(first, 4), Line(second, 2)]


def test_merging_does_not_get_around_the_limit() -> None:
    variant = uuid4()

    with pytest.raises(QuantityTooLarge):
        merged(items((variant, 600), (variant, 600)), 1000)


def stored(state: KeyState, print_: bytes) -> StoredOutcome:
    return StoredOutcome(print_, state, uuid4(), 201, b"{}")


def test_a_placed_key_replays_its_answer() -> None:
    outcome = stored(KeyState.PLACED, b"a" * 32)

    answer = replay(outcome, b"a" * 32)

    assert (answer.status, answer.body, answer.is_replay) == (201, b"{}", True)
    assert answer.order_id == outcome.subject_id


def test_an_aborted_key_replays_its_refusal_and_names_no_order() -> None:
    assert replay(stored(KeyState.ABORTED, b"a" * 32), b"a" * 32).order_id is None


def test_a_key_of_another_request_is_refused() -> None:
    with pytest.raises(IdempotencyKeyReused):
        replay(stored(KeyState.PLACED, b"a" * 32), b"b" * 32)


def test_what_the_sweeper_aborted_is_answered_whatever_the_body_was() -> None:
    assert replay(stored(KeyState.ABORTED, bytes(32)), b"b" * 32).is_replay


COUPON = {
    "code": "SAVE10",
    "type": "PERCENTAGE",
    "percentBasisPoints": 1000,
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2027-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"percentBasisPoints": None},
        {"percentBasisPoints": 10_001},
        {"amount": {"amount": 5, "currency": "INR"}},
        {"type": "FIXED"},
        {"type": "FIXED", "percentBasisPoints": None, "amount": {"amount": 0, "currency": "INR"}},
        {"validUntil": "2026-01-01T00:00:00Z"},
        {"validUntil": "9999-01-01T00:00:00Z"},
        {"validFrom": "2026-01-01T00:00:00"},
        {"usageLimit": 0},
        {"usedCount": 3},
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewCoupon.model_validate(COUPON | changes)


def test_a_coupon_of_either_type_is_taken() -> None:
    fixed = {
        "type": "FIXED",
        "percentBasisPoints": None,
        "amount": {"amount": 5, "currency": "INR"},
    }

    assert NewCoupon.model_validate(COUPON).percent_basis_points == 1000
    assert NewCoupon.model_validate(COUPON | fixed).amount is not None

"""Request bodies: what is refused before any use case sees it."""

from typing import Any

import pytest
from pydantic import ValidationError

from catalog_service.schemas.inventory import AdjustIn, ReserveIn
from catalog_service.schemas.products import ProductIn
from catalog_service.services import products
from common_lib.ids import new_id


def reserve_body(**changes: Any) -> dict[str, Any]:
    return {
        "reservationId": str(new_id()),
        "orderId": str(new_id()),
        "fingerprint": "a" * 64,
        "items": [{"variantId": str(new_id()), "quantity": 1}],
    } | changes


def product_body(**variant: Any) -> dict[str, Any]:
    price = {"amount": 149_900, "currency": "INR"}
    first = {"sku": "SKU-1", "name": "Red", "price": price, "quantity": 5}
    return {
        "name": "Kurta",
        "description": "Cotton",
        "categoryId": str(new_id()),
        "variants": [first | variant],
    }


@pytest.mark.parametrize("quantity", [0, -1, 2**31, 2**31 - 1, "5", True, 5.0, None])
def test_a_quantity_is_a_positive_int_of_32_bits(quantity: Any) -> None:
    items = [{"variantId": str(new_id()), "quantity": quantity}]
    with pytest.raises(ValidationError):
        ReserveIn.model_validate(reserve_body(items=items))


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [{"variantId": str(new_id()), "quantity": 1}] * 101},
        {"unitPrice": 5},
        {"reservationId": "x"},
        {"fingerprint": ""},
        {"fingerprint": "a b"},
        {"idempotencyKey": "x" * 256},
    ],
)
def test_an_odd_reservation_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReserveIn.model_validate(reserve_body(**changes))


@pytest.mark.parametrize("amount", [-1, 0.001, 10**12, "5", True, 5.0])
def test_a_price_is_whole_minor_units_within_bounds(amount: Any) -> None:
    with pytest.raises(ValidationError):
        ProductIn.model_validate(product_body(price={"amount": amount, "currency": "INR"}))


def test_a_product_of_the_documented_shape_is_taken() -> None:
    body = ProductIn.model_validate(product_body(compareAtPrice={"amount": 199_900}))
    assert body.status == "DRAFT"
    assert body.variants[0].reorder_level == 0


def test_a_comparison_below_the_price_is_refused() -> None:
    body = ProductIn.model_validate(product_body(compareAtPrice={"amount": 1}))
    with pytest.raises(products.InvalidProduct) as refusal:
        products.check_variants(body.variants, "INR")
    assert refusal.value.errors[0].pointer == "/variants/0/compareAtPrice"


def test_another_currency_is_refused() -> None:
    body = ProductIn.model_validate(product_body(price={"amount": 1, "currency": "USD"}))
    with pytest.raises(products.InvalidProduct):
        products.check_variants(body.variants, "INR")


@pytest.mark.parametrize("delta", [2**31, -(2**31), 1.5, "1", True])
def test_an_adjustment_is_an_int_of_32_bits(delta: Any) -> None:
    with pytest.raises(ValidationError):
        AdjustIn.model_validate({"delta": delta, "reason": "count"})
